"""Attempts to connect: what may be over in a moment is tried again, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import gevent
from paramiko import SSHException
from paramiko.ssh_exception import NoValidConnectionsError

BACK_OFF = (0.5, 1.0, 2.0)
"""Seconds before each new attempt, give or take a fifth."""
DROPPED = ("error reading ssh protocol banner", "connection reset", "server connection dropped")
TRANSIENT = (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, EOFError)


class HungUp(SSHException):
    """sshd ends each connection before it says who it is."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"sshd ended the connection before it said who it is, {len(BACK_OFF) + 1} times: too many connections at "
            "once (MaxStartups), or a penalty for this address (PerSourcePenalties) "
            f"({str(error) or type(error).__name__})"
        )


def connect_with_retries(connect: Callable[[], None]) -> None:
    """Connect, and once more where the host refused: sshd starts anew, or has too many at once.

    Never after an answer that would be the same again (authentication, host key, unknown name), and not when nothing
    answers at all, for which ``ssh.connect_timeout`` is the time.

    Raises:
        HungUp: sshd hung up each time. SSHException, OSError, EOFError: any other failure, as it came.
    """
    for seconds in BACK_OFF:
        try:
            return connect()
        except (SSHException, OSError, EOFError) as error:
            if not is_transient(error):
                raise
        gevent.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - so that hosts do not come in step
    try:
        return connect()
    except (SSHException, OSError, EOFError) as error:
        if is_transient(error) and not isinstance(error, ConnectionRefusedError | NoValidConnectionsError):
            raise HungUp(error) from error
        raise  # nothing listens there, or a firewall says so


def is_transient(error: BaseException) -> bool:
    """Whether a failure to connect may be over in a moment."""
    if isinstance(error, NoValidConnectionsError):  # one error for each address of the name
        return all(is_transient(each) for each in error.errors.values())
    if isinstance(error, TRANSIENT):
        return True
    return type(error) is SSHException and any(text in str(error).lower() for text in DROPPED)
