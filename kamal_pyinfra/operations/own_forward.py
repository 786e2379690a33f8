"""The own registry lent to a host: through the SSH connection that is there, for the time of a pull.

sshd listens on the host's loopback and hands every connection back; each is joined to the registry here. Where sshd
refuses (``AllowTcpForwarding``, or the port is taken there), or there is no registry, the image is sent as a stream.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import gevent
from paramiko import Channel, SSHException
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.commands import own_registry as commands
from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations import own_registry
from kamal_pyinfra.operations.connection import stream
from kamal_pyinfra.operations.local_program import Programs
from kamal_pyinfra.operations.turns import turn
from kamal_pyinfra.plan.run import Run

CHUNK = 1 << 16
LOOPBACK = "127.0.0.1"

_LOADED: WeakSet[Host] = WeakSet()


def lend(state: State, host: Host, run: Run, image: str) -> bool:
    """Make the own registry reachable on the host's loopback, or send the image.

    Returns:
        Whether the host can pull it, or has it.
    """
    registry = run.config.registry
    transport = _transport(host)
    _LOADED.discard(host)
    try:
        is_there = own_registry.started(registry, Programs(host.log, host.log))
    except BuildFailed as error:
        host.log(str(error))
        return False
    if is_there and transport is None:
        return True  # no SSH: the host is this machine
    if is_there:
        try:
            transport.request_port_forward(LOOPBACK, registry.own_port, _joiner(registry.own_port))
        except SSHException:
            host.log(f"sshd does not lend {LOOPBACK}:{registry.own_port}")
        else:
            return True
    with turn(state, run):
        if not _send(host, image, run.config.pull_timeout):
            return False
    _LOADED.add(host)
    return True


def was_sent(host: Host) -> bool:
    """Whether the host got the image as a stream."""
    return host in _LOADED


def take_back(state: State, host: Host, run: Run) -> bool:
    """Have the host's loopback as it was."""
    transport = _transport(host)
    if transport is not None and host not in _LOADED:
        transport.cancel_port_forward(LOOPBACK, run.config.registry.own_port)
    return True


def _transport(host: Host) -> Any:
    client = getattr(host.connector, "client", None)
    return client.get_transport() if client is not None else None


def _joiner(port: int) -> Callable[..., None]:
    def join(channel: Channel, origin: object, server: object) -> None:
        gevent.spawn(_join, channel, port)  # the transport's own greenlet must go on reading

    return join


def _join(channel: Channel, port: int) -> None:
    try:
        here = socket.create_connection((LOOPBACK, port), timeout=own_registry.ASK_SECONDS)
    except OSError:
        channel.close()
        return
    here.settimeout(None)
    there = gevent.spawn(_pump, channel.recv, here.sendall, lambda: here.shutdown(socket.SHUT_WR))
    back = gevent.spawn(_pump, here.recv, channel.sendall, channel.shutdown_write)
    gevent.joinall([there, back])
    here.close()
    channel.close()


def _pump(read: Callable[[int], bytes], write: Callable[[bytes], Any], end: Callable[[], Any]) -> None:
    try:
        while data := read(CHUNK):
            write(data)
        end()
    except (OSError, EOFError):
        return


def _send(host: Host, image: str, seconds: int) -> bool:
    """`docker save` here, `docker load` there, with nothing in between but the connection."""
    try:
        channel = stream(host, guarded(commands.LOAD, seconds=seconds, key="pull_timeout"))
    except SSHException as error:
        host.log(str(error))
        return False
    saving = subprocess.Popen(  # noqa: S603 - an argument list of our own, no shell
        commands.save(image), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with saving:
        if saving.stdout is not None and saving.stderr is not None:
            _pump(saving.stdout.read, channel.sendall, channel.shutdown_write)
            complaint = saving.stderr.read().decode(errors="replace").strip()
    code = channel.recv_exit_status()
    if saving.returncode != 0 or code != 0:
        host.log(f"{image} could not be sent: {complaint or f'docker load exited {code}'}")
    return saving.returncode == 0 and code == 0
