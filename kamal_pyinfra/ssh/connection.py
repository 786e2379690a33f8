"""Connect with retries, execute, stream, reconnect."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import BoundedSemaphore
from paramiko import Channel, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, make_unix_command_for_host

from kamal_pyinfra.ssh.any_bytes import read_any_bytes
from kamal_pyinfra.ssh.client import Jumped, open_session
from kamal_pyinfra.ssh.config_files import SshConfigError
from kamal_pyinfra.ssh.host_data import ALIVE_MISSES, ALIVE_SECONDS
from kamal_pyinfra.ssh.host_keys import HostKeyRefused
from kamal_pyinfra.ssh.keys import NotLetIn
from kamal_pyinfra.ssh.limits import LIMIT, limit_commands
from kamal_pyinfra.ssh.login_shell import MarkedChannel, shelter_commands
from kamal_pyinfra.ssh.sudo import explain_sudo

OPEN_SECONDS = 15

COMMAND_SECONDS = 60
"""For a command without a limit of its own on a host that is not from our configuration."""

DARWIN = {"TCP_RXT_CONNDROPTIME": 0x80}
"""What macOS has for Linux's TCP_USER_TIMEOUT; Python does not name it."""


def tune(host: Host) -> None:
    """Have commands sent at once, ended in time, and a cut connection noticed, on the way to a jump host too.

    paramiko leaves Nagle's algorithm on, which costs about 40 ms for each command, and sends nothing while a command
    is silent: a host that is gone would be waited for as long as the kernel tries, a quarter of an hour.
    """
    client = getattr(host.connector, "client", None)
    if client is not None:
        read_any_bytes(client)
        shelter_commands(client, host.name)
        limit_commands(client, int(host.data.get(LIMIT, COMMAND_SECONDS)))
        if host.data.get("_sudo"):
            explain_sudo(client, host.name)
    transport = client.get_transport() if client is not None else None
    while transport is not None:
        transport.set_keepalive(ALIVE_SECONDS)
        sock = transport.sock
        if not isinstance(sock, Channel):
            _tune_socket(sock)
            return
        transport = sock.get_transport()


def _tune_socket(sock: Any) -> None:
    seconds = ALIVE_SECONDS * ALIVE_MISSES
    for name, value in (("TCP_NODELAY", 1), ("TCP_USER_TIMEOUT", seconds * 1000), ("TCP_RXT_CONNDROPTIME", seconds)):
        option = getattr(socket, name, DARWIN.get(name) if sys.platform == "darwin" else None)
        if option is not None:
            with contextlib.suppress(OSError, AttributeError):  # a proxy command has no such option
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def show_ssh_log(level: str) -> None:
    """Let the SSH library say on standard error what it does.

    Args:
        level: ``ssh.log_level``; at ``fatal`` it says nothing, as pyinfra has it.
    """
    logger = logging.getLogger("paramiko")
    if level == "fatal" or logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("ssh: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel("WARNING" if level == "warn" else level.upper())
    logger.propagate = False


_LISTENERS: WeakKeyDictionary[Host, Callable[[str], None]] = WeakKeyDictionary()


class _Overheard:
    """What a command prints, each line told to somebody else too as it comes."""

    def __init__(self, stream: Any, say: Callable[[str], None]) -> None:
        self.stream = stream
        self.say = say

    def __iter__(self) -> Iterator[str]:
        for line in self.stream:
            self.say(line.rstrip("\n"))
            yield line

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def overhear(host: Host, say: Callable[[str], None]) -> None:
    """Be told the lines that commands print on a host while they run; pyinfra shows them when they are over.

    Args:
        host: connected.
        say: called with each line of standard output, without its end.
    """
    _LISTENERS[host] = say
    client: Any = getattr(host.connector, "client", None)
    run = getattr(client, "exec_command", None)
    if run is None:
        return

    def exec_command(*arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        stdin, stdout, stderr = run(*arguments, **options)
        return stdin, _Overheard(stdout, say), stderr

    client.exec_command = exec_command


def execute(
    host: Host, command: str, *, print_output: bool = False, stdin: str | None = None
) -> tuple[bool, CommandOutput]:
    """Run one command on a host outside an operation, with the host's own sudo setting."""
    typed: dict[str, Any] = {} if stdin is None else {"_stdin": stdin}
    return host.run_shell_command(
        StringCommand(command), print_output=print_output, _sudo=bool(host.data.get("_sudo", False)), **typed
    )


def reconnect(host: Host) -> None:
    """Connect anew, which ends what still runs on the old connection and gives a user new groups."""
    with _ALONE.setdefault(host, BoundedSemaphore()):  # the lease of the lock may be doing so just now
        _reconnect(host)


def _reconnect(host: Host) -> None:
    client = getattr(host.connector, "client", None)
    if client is not None:
        client.close()
    # Not host.disconnect(): that tells the callbacks that the run is over.
    host.connected = False
    host.connect()
    tune(host)
    if (say := _LISTENERS.get(host)) is not None:
        overhear(host, say)


_ALONE: WeakKeyDictionary[Host, BoundedSemaphore] = WeakKeyDictionary()


def reconnect_if_gone(host: Host) -> None:
    """Connect anew where the connection has ended, or an attempt to make it failed; else leave it as it is."""
    with _ALONE.setdefault(host, BoundedSemaphore()):
        client = getattr(host.connector, "client", None)
        transport = client.get_transport() if client is not None else None
        if transport is None or not transport.is_active():
            _reconnect(host)


def is_cut(host: Host) -> bool:
    """Whether the connection is over, as far as this side knows."""
    client = getattr(host.connector, "client", None)
    if client is None or not host.connected:
        return False
    transport = client.get_transport()
    return transport is None or not transport.is_active()


def reconnect_all(state: State) -> None:
    """End every command that is under way on the hosts; the hosts stay connected."""
    for host in state.inventory:
        if host.connected:
            reconnect(host)


def stream(host: Host, command: str) -> MarkedChannel:
    """Start one command on a host, with the host's own sudo setting, and do not wait for it.

    Returns:
        Its channel, to be read as the command writes.

    Raises:
        SSHException: the connection is gone.
    """
    client = getattr(host.connector, "client", None)
    transport = client.get_transport() if client is not None else None
    if transport is None:
        raise SSHException("not connected")
    unix = make_unix_command_for_host(
        host.state, host, StringCommand(command), _sudo=bool(host.data.get("_sudo", False))
    )
    try:
        channel = MarkedChannel(open_session(transport, OPEN_SECONDS), host.name)
    except EOFError as error:
        raise SSHException("the connection ended") from error
    channel.exec_command(unix.get_raw_value())
    return channel


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
