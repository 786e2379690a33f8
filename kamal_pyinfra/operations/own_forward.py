"""The own registry lent to a host: through the SSH connection that is there, for the time of a pull.

sshd listens on the host's loopback and hands every connection back; each may read the one image from the registry here
(:mod:`kamal_pyinfra.operations.read_only`). Where sshd refuses (``AllowTcpForwarding``, or the port is taken there), or
there is no registry, the image is sent as a stream.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import gevent
from gevent.pool import Group
from paramiko import Channel, SSHException
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.commands import own_registry as commands
from kamal_pyinfra.commands.guard import KILL_SECONDS, guarded
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations import own_registry, read_only
from kamal_pyinfra.operations.local_program import Programs
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.ssh.connection import stream
from kamal_pyinfra.ssh.limits import PATIENCE_SECONDS
from kamal_pyinfra.text import sanitized

ANSWER_SECONDS = 15
"""For sshd to lend a port, or to take it back."""
CHUNK = 4096
LAST_CHUNKS = 4

_STARTED: WeakSet[State] = WeakSet()
_CONNECTIONS: WeakKeyDictionary[Host, Group] = WeakKeyDictionary()


def lend(state: State, host: Host, run: Run, image: str, service: str) -> str | None:
    """Make the image readable on the host's loopback, or send it.

    Returns:
        What the host has to do to have the image, in shell text; ``None`` if it cannot have it, and the host's log says
        why.
    """
    try:
        digest = _digest(state, host, run, image)
    except BuildFailed as error:
        host.log(str(error))
        return None
    transport = _transport(host)
    if digest is not None and (transport is None or _is_lent(host, transport, run)):
        return commands.pull(image, digest, service, run.config.registry.own_port)
    return commands.was_loaded(image, service) if _send(host, image, run.config.pull_timeout) else None


def take_back(host: Host, run: Run) -> None:
    """Have the host's loopback as it was, and end what still reads."""
    connections = _CONNECTIONS.pop(host, None)
    transport = _transport(host)
    if connections is None or transport is None:
        return
    with gevent.Timeout(ANSWER_SECONDS, False):
        transport.cancel_port_forward(read_only.LOOPBACK, run.config.registry.own_port)
    connections.kill(timeout=ANSWER_SECONDS)


def _digest(state: State, host: Host, run: Run, image: str) -> str | None:
    """By what the version is pulled, so that nobody else's answer on the host's loopback is taken for the image.

    Raises:
        BuildFailed: the registry is not ours, or is without the version.
    """
    config = run.config
    if state not in _STARTED:
        if not own_registry.started(config.registry, Programs(host.log, host.log)):
            return None
        _STARTED.add(state)
    return own_registry.digest(config.registry.own_port, config.image, image.rpartition(":")[2])


def _transport(host: Host) -> Any:
    client = getattr(host.connector, "client", None)
    return client.get_transport() if client is not None else None


def _is_lent(host: Host, transport: Any, run: Run) -> bool:
    port, connections = run.config.registry.own_port, Group()
    try:
        with gevent.Timeout(ANSWER_SECONDS, SSHException("no answer")):
            transport.request_port_forward(read_only.LOOPBACK, port, _joiner(connections, port, run.config.image))
    except SSHException:
        host.log(f"sshd does not lend {read_only.LOOPBACK}:{port}")
        return False
    _CONNECTIONS[host] = connections
    return True


def _joiner(connections: Group, port: int, image: str) -> Callable[..., None]:
    def join(channel: Channel, origin: object, server: object) -> None:
        connections.spawn(read_only.join, channel, port, image)  # the transport's own greenlet must go on reading

    return join


def _send(host: Host, image: str, seconds: int) -> bool:
    """`docker save` here, `docker load` there, with nothing in between but the connection."""
    limit = gevent.Timeout(seconds + KILL_SECONDS + PATIENCE_SECONDS)
    try:
        with limit:
            complaint = _sent(host, image, seconds)
    except SSHException as error:
        complaint = str(error)
    except gevent.Timeout as over:
        if over is not limit:
            raise
        complaint = f"it took longer than {seconds} s (pull_timeout)"
    if complaint:
        host.log(f"{image} could not be sent: {complaint}")
    return not complaint


def _sent(host: Host, image: str, seconds: int) -> str:
    """Why it was not sent; empty if it was. All that both sides say is read beside, or they would wait for a reader."""
    channel = stream(host, guarded(commands.LOAD, seconds=seconds, key="pull_timeout"))
    saving = subprocess.Popen(  # noqa: S603 - an argument list of our own, no shell
        commands.save(image), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    here, there = deque[bytes](maxlen=LAST_CHUNKS), deque[bytes](maxlen=LAST_CHUNKS)
    readers = [gevent.spawn(_drain, saving.stderr and saving.stderr.readline, here)]
    readers += [gevent.spawn(_drain, read, there) for read in (channel.recv, channel.recv_stderr)]
    try:
        is_whole = saving.stdout is not None and read_only.pump(saving.stdout.read, channel.sendall)
        if not is_whole:  # the host has ended; `docker save` would write on, and nobody reads it
            saving.kill()
        channel.shutdown_write()
        code, saved = channel.recv_exit_status(), saving.wait()
        gevent.joinall(readers, timeout=ANSWER_SECONDS)
    except OSError as error:  # the connection is gone
        raise SSHException(str(error) or "the connection ended") from error
    finally:
        saving.kill()
        channel.close()
        gevent.killall(readers, timeout=ANSWER_SECONDS)
    if code == 0 and saved == 0:
        return ""
    return _last(there) or f"docker load exited {code}" if code != 0 else _last(here) or f"docker save exited {saved}"


def _drain(read: Callable[[int], bytes] | None, last: deque[bytes]) -> None:
    """Read to the end, and keep what was said last."""
    try:
        while read is not None and (data := read(CHUNK)):
            last.append(data)
    except (OSError, EOFError, ValueError):  # closed under it
        return


def _last(chunks: deque[bytes]) -> str:
    lines = b"".join(chunks).decode(errors="replace").strip().splitlines()
    return sanitized(lines[-1]) if lines else ""
