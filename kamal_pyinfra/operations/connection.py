"""SSH connections of pyinfra's hosts, beyond what pyinfra offers."""

from __future__ import annotations

import contextlib
import socket

from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput


def send_at_once(host: Host) -> None:
    """Turn off Nagle's algorithm: paramiko leaves it on, which costs about 40 ms for each command."""
    client = getattr(host.connector, "client", None)
    transport = client.get_transport() if client is not None else None
    with contextlib.suppress(OSError, AttributeError):  # a jump host's channel has no such option
        if transport is not None:
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def execute(host: Host, command: str, *, print_output: bool = False) -> tuple[bool, CommandOutput]:
    """Run one command on a host outside an operation, with the host's own sudo setting."""
    return host.run_shell_command(
        StringCommand(command), print_output=print_output, _sudo=bool(host.data.get("_sudo", False))
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
