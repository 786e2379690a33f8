"""Connections to hosts: what may pass by itself is tried again, what will not is said at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from paramiko import SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host

BACK_OFF = (0.5, 1.0, 2.0)
"""Seconds before each new attempt, give or take a fifth."""
DROPPED = ("error reading ssh protocol banner", "connection reset", "server connection dropped")
PASSING = (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, EOFError)


def connect_patiently(host: Host) -> None:
    """Let this host be connected to again when it refused: sshd starts anew, or has too many at once.

    Never after an answer that would be the same again (authentication, host key, unknown name), and not when nothing
    answers at all, for which ``ssh.connect_timeout`` is the time.
    """
    connector: Any = host.connector
    connector.connect = _patient(_explained(connector.connect))
    _have_folder(host)


def is_passing(error: BaseException | None) -> bool:
    """Whether a failure to connect may be over in a moment."""
    if isinstance(error, NoValidConnectionsError):  # one error for each address of the name
        return all(is_passing(each) for each in error.errors.values())
    if isinstance(error, PASSING):
        return True
    return type(error) is SSHException and any(text in str(error).lower() for text in DROPPED)


def _explained(connect: Callable[[], None]) -> Callable[[], None]:
    """Let every reason be one of this host's: pyinfra tells of a key that cannot be read by an error that ends all."""

    def attempt() -> None:
        try:
            connect()
        except ConnectError:
            raise
        except PyinfraError as error:
            raise ConnectError(str(error)) from error

    return attempt


def _patient(connect: Callable[[], None]) -> Callable[[], None]:
    def attempt() -> None:
        for seconds in BACK_OFF:
            try:
                return connect()
            except ConnectError as error:
                if not is_passing(error.__context__):
                    raise
            gevent.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - so that hosts do not come in step
        return connect()

    return attempt


def _have_folder(host: Host) -> None:
    """The folder that new host keys are written down in; who has never called `ssh` has none."""
    path = Path(host.data.get("ssh_known_hosts_file") or "~/.ssh/known_hosts").expanduser()
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
