"""SSH connections of pyinfra's hosts, beyond what pyinfra offers."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from gevent.lock import BoundedSemaphore
from paramiko import Channel, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, make_unix_command_for_host

from kamal_pyinfra.commands.ssh_config import ALIVE_MISSES, ALIVE_SECONDS
from kamal_pyinfra.operations.any_bytes import read_any_bytes
from kamal_pyinfra.operations.login_shell import MarkedChannel, shelter_commands
from kamal_pyinfra.operations.ssh_client import open_session
from kamal_pyinfra.operations.sudo import explain_sudo
from kamal_pyinfra.operations.time_limit import LIMIT, limit_commands

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
