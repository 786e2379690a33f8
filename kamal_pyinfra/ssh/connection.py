"""Configure connections, execute, stream, reconnect."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gevent.lock import BoundedSemaphore
from paramiko import Channel, SSHException, Transport
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, make_unix_command_for_host

from kamal_pyinfra.ssh.client import open_session
from kamal_pyinfra.ssh.commands import LIMIT, in_time, lenient, passed_on, with_reasons_of_sudo
from kamal_pyinfra.ssh.host_data import ALIVE_MISSES, ALIVE_SECONDS
from kamal_pyinfra.ssh.login_shell import MarkedChannel, in_any_login_shell
from kamal_pyinfra.ssh.patches import Execute, connect_anew, wrap_commands

OPEN_SECONDS = 15
COMMAND_SECONDS = 60  # for a command without a limit of its own on a host that is not from our configuration
DARWIN = {"TCP_RXT_CONNDROPTIME": 0x80}  # what macOS has for Linux's TCP_USER_TIMEOUT; Python does not name it
LINK = "kp_link"  # name of the `Link` in pyinfra's `connector_data`


@dataclass
class Link:
    """What kp keeps of one host's connection, whichever client has it just now."""

    on_output: Callable[[str], None] = field(default=lambda _: None)  # takes each line of standard output
    # held while the connection is made anew: the lease of the lock may be doing so, too
    alone: BoundedSemaphore = field(default_factory=BoundedSemaphore)


def _link(host: Host) -> Link:
    link: Link = host.connector_data.setdefault(LINK, Link())
    return link


def transport_of(host: Host) -> Transport | None:
    """Return the SSH connection of a host; ``None`` of one that is reached without, or not connected."""
    client = getattr(host.connector, "client", None)
    return client.get_transport() if client is not None else None


def configure(host: Host, on_output: Callable[[str], None] | None = None) -> None:
    """Have commands sent at once, ended in time, and a cut connection noticed, on the way to a jump host too.

    paramiko leaves Nagle's algorithm on, which costs about 40 ms for each command, and sends nothing while a command
    is silent: a host that is gone would be waited for as long as the kernel tries, a quarter of an hour.
    """
    link = _link(host)
    link.on_output = on_output or link.on_output
    client, transport = getattr(host.connector, "client", None), transport_of(host)
    if client is not None:
        user = (transport.get_username() if transport is not None else None) or "the user"
        wrap_commands(client, partial(_layers, host=host, user=user))
    sock: Any = None
    while transport is not None:
        transport.set_keepalive(ALIVE_SECONDS)
        sock = transport.sock
        transport = sock.get_transport() if isinstance(sock, Channel) else None
    seconds = ALIVE_SECONDS * ALIVE_MISSES
    for name, value in (("TCP_NODELAY", 1), ("TCP_USER_TIMEOUT", seconds * 1000), ("TCP_RXT_CONNDROPTIME", seconds)):
        option = getattr(socket, name, DARWIN.get(name) if sys.platform == "darwin" else None)
        if option is not None:
            with contextlib.suppress(OSError, AttributeError):  # a proxy command has no such option
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _layers(execute: Execute, host: Host, user: str) -> Execute:
    execute = partial(in_any_login_shell, partial(lenient, execute), host.name)
    execute = partial(in_time, execute, int(host.data.get(LIMIT, COMMAND_SECONDS)))
    if host.data.get("_sudo"):
        execute = partial(with_reasons_of_sudo, execute, host.name, user)
    link = _link(host)
    return partial(passed_on, execute, lambda line: link.on_output(line))  # noqa: PLW0108 - it may be another by then


def show_ssh_log(level: str) -> None:
    """Have the SSH library log to standard error from this ``ssh.log_level`` on; at ``fatal``, nothing."""
    logger = logging.getLogger("paramiko")
    if level == "fatal" or logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("ssh: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel("WARNING" if level == "warn" else level.upper())
    logger.propagate = False


def execute(
    host: Host, command: str, *, print_output: bool = False, stdin: str | None = None
) -> tuple[bool, CommandOutput]:
    """Run one command on a host outside an operation, with the host's own sudo setting."""
    options = {"_sudo": bool(host.data.get("_sudo", False)), "_stdin": stdin}
    return host.run_shell_command(StringCommand(command), print_output=print_output, **options)


def _is_active(host: Host) -> bool:
    transport = transport_of(host)
    return transport is not None and bool(transport.is_active())


def reconnect(host: Host, *, only_if_gone: bool = False) -> None:
    """Connect anew, always or only if the connection is gone; what runs on it ends, and a user gets new groups."""
    with _link(host).alone:
        if not (only_if_gone and _is_active(host)):
            connect_anew(host)
            configure(host)


def is_disconnected(host: Host) -> bool:
    """Whether the connection is over, as far as this side knows."""
    return getattr(host.connector, "client", None) is not None and host.connected and not _is_active(host)


def reconnect_all(state: State) -> None:
    """End every command that is under way on the hosts; the hosts stay connected."""
    for host in state.inventory:
        if host.connected:
            reconnect(host)


def stream(host: Host, command: str) -> MarkedChannel:
    """Start one command on a host, with its own sudo setting, and return its channel, or raise SSHException."""
    transport = transport_of(host)
    if transport is None:
        raise SSHException("not connected")
    sudo = bool(host.data.get("_sudo", False))
    unix = make_unix_command_for_host(host.state, host, StringCommand(command), _sudo=sudo)
    try:
        channel = MarkedChannel(open_session(transport, OPEN_SECONDS), host.name)
    except EOFError as error:
        raise SSHException("the connection ended") from error
    channel.exec_command(unix.get_raw_value())
    return channel
