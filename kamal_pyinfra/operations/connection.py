"""SSH connections of pyinfra's hosts, beyond what pyinfra offers."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from paramiko import Channel, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, make_unix_command_for_host

from kamal_pyinfra.operations.any_bytes import read_any_bytes

OPEN_SECONDS = 15


def send_at_once(host: Host) -> None:
    """Turn off Nagle's algorithm: paramiko leaves it on, which costs about 40 ms for each command."""
    client = getattr(host.connector, "client", None)
    if client is not None:
        read_any_bytes(client)
    transport = client.get_transport() if client is not None else None
    with contextlib.suppress(OSError, AttributeError):  # a jump host's channel has no such option
        if transport is not None:
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


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
    client = getattr(host.connector, "client", None)
    if client is not None:
        client.close()
    # Not host.disconnect(): that tells the callbacks that the run is over.
    host.connected = False
    host.connect()
    send_at_once(host)


def reconnect_all(state: State) -> None:
    """End every command that is under way on the hosts; the hosts stay connected."""
    for host in state.inventory:
        if host.connected:
            reconnect(host)


def stream(host: Host, command: str) -> Channel:
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
    channel: Channel = transport.open_session(timeout=OPEN_SECONDS)
    channel.exec_command(unix.get_raw_value())
    return channel
