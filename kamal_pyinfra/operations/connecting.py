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

from kamal_pyinfra.config.ssh_lines import SshConfigError
from kamal_pyinfra.operations.host_keys import HostKeyRefused
from kamal_pyinfra.operations.ssh_client import Jumped
from kamal_pyinfra.operations.ssh_keys import NotLetIn

BACK_OFF = (0.5, 1.0, 2.0)
"""Seconds before each new attempt, give or take a fifth."""
DROPPED = ("error reading ssh protocol banner", "connection reset", "server connection dropped")
OURS = (HostKeyRefused, NotLetIn, Jumped, SshConfigError)
HUNG_UP = (
    f"sshd ended the connection before it said who it is, {len(BACK_OFF) + 1} times: too many connections at once "
    "(MaxStartups), or a penalty for this address (PerSourcePenalties)"
)
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
    """Let every reason be one of this host's, whatever went wrong, and ours be said without pyinfra's words around."""

    def attempt() -> None:
        try:
            connect()
        except ConnectError as error:
            if isinstance(error.__context__, OURS):
                raise ConnectError(str(error.__context__)) from error.__context__
            raise
        except PyinfraError as error:
            raise ConnectError(str(error)) from error
        except Exception as error:  # it would end the run with a traceback, and name no host
            raise ConnectError(f"{type(error).__name__}: {error}") from error

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
        try:
            return connect()
        except ConnectError as error:
            cause = error.__context__
            if is_passing(cause) and not _is_refused(cause):
                raise ConnectError(f"{HUNG_UP} ({str(cause) or type(cause).__name__})") from cause
            raise

    return attempt


def _is_refused(error: BaseException | None) -> bool:
    """Whether nothing listens there, or a firewall says so."""
    return isinstance(error, ConnectionRefusedError | NoValidConnectionsError)


def _have_folder(host: Host) -> None:
    """The folder that new host keys are written down in; who has never called `ssh` has none."""
    path = Path(host.data.get("ssh_known_hosts_file") or "~/.ssh/known_hosts").expanduser()
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
