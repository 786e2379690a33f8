"""Makes the built-in registry reachable from a host during a pull: one image can be read, nothing can be written."""

from __future__ import annotations

import re
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent.pool import Group
from paramiko import Channel, SSHException
from pyinfra.api.host import Host

from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import registry
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.image import LOAD, was_loaded
from kamal_pyinfra.shell.script import KILL_SECONDS, guarded
from kamal_pyinfra.ssh.commands import PATIENCE_SECONDS
from kamal_pyinfra.ssh.connection import stream, transport_of
from kamal_pyinfra.text import sanitized

CHUNK = 1 << 16
LAST_CHUNKS = 4
LONGEST_HEAD = 1 << 14
IDLE_SECONDS = 120
"""For which a connection may be silent; engines keep some open for the next layer."""
CONNECT_SECONDS = 2
ANSWER_SECONDS = 15
"""For sshd to open a port, or to close it."""
LOOPBACK = "127.0.0.1"
REFUSAL = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REQUEST = re.compile(rb"(GET|HEAD) (/v2/[A-Za-z0-9._:@/+-]*)(?:\?[!-~]*)? (HTTP/1\.[01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)")
PASSED_ON = frozenset((b"accept", b"accept-encoding", b"connection", b"if-none-match", b"if-range", b"range"))
"""Fields of a request that a pull needs; of others none is passed on, and those of a body are refused."""
OF_A_BODY = frozenset((b"content-length", b"transfer-encoding", b"upgrade", b"expect"))


class Refused(Exception):
    """A request that is none to read the image, or none at all."""


def join_read_only(channel: Channel, port: int, image: str) -> None:
    """Serve a host's connection until a side ends it: of the registry at the port this image, named without server."""
    try:
        local = socket.create_connection((LOOPBACK, port), timeout=CONNECT_SECONDS)
    except OSError:
        channel.close()
        return
    for end in (local, channel):
        end.settimeout(IDLE_SECONDS)
    answers = gevent.spawn(pump, local.recv, channel.sendall)
    asking = gevent.spawn(_ask, channel, local, image)
    try:
        gevent.wait([asking, answers], count=1)
        if asking.ready():
            answers.join(IDLE_SECONDS if asking.value else 0)
    finally:
        gevent.killall([asking, answers], timeout=CONNECT_SECONDS)
        local.close()
        channel.close()


def pump(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> bool:
    """Pass bytes on until one side ends, fails or is silent for too long; returns whether all of them were."""
    try:
        while data := read(CHUNK):
            write(data)
    except (OSError, EOFError, ValueError):  # the last of a file that was closed under it
        return False
    return True


def _ask(channel: Channel, local: socket.socket, image: str) -> bool:
    """Pass requests on; returns whether there may be answers to come."""
    asked = 0
    try:
        for request in requests(channel.recv, image):
            local.sendall(request)
            asked += 1
        local.shutdown(socket.SHUT_WR)
    except Refused:
        if not asked:
            channel.sendall(REFUSAL)
        return False
    except (OSError, EOFError):
        return False
    return True


def requests(read: Callable[[int], bytes], image: str) -> Iterator[bytes]:
    """The requests of a connection, each made anew; also those that come before the one before is answered."""
    rest = b""
    while True:
        head, end, rest = rest.partition(b"\r\n\r\n")
        if end:
            yield made_anew(head, image)
            continue
        if len(head) > LONGEST_HEAD:
            raise Refused
        data = read(CHUNK)
        if not data:
            return
        rest = head + data


def made_anew(head: bytes, image: str) -> bytes:
    """A request of what was understood of another."""
    first, *lines = head.split(b"\r\n")
    request, fields = REQUEST.fullmatch(first), [field for line in lines if (field := FIELD.fullmatch(line))]
    if request is None or len(fields) < len(lines) or len(head) > LONGEST_HEAD:
        raise Refused
    path, parts = request[2].decode(), tuple(f"/v2/{image}/{kind}/" for kind in ("manifests", "blobs", "referrers"))
    if path != "/v2/" and (not path.startswith(parts) or ".." in path.split("/")):
        raise Refused
    if OF_A_BODY.intersection(field[1].lower() for field in fields):
        raise Refused
    passed = [field[0] for field in fields if field[1].lower() in PASSED_ON]
    return b"\r\n".join((b" ".join(request.groups()), b"Host: localhost", *passed, b"", b""))


class Tunnel:
    """The built-in registry on a host's loopback, for one pull; ``is_started`` if this run found that it runs."""

    def __init__(self, host: Host, run: Run, *, is_started: bool = False) -> None:
        self.host, self.run, self.is_started = host, run, is_started
        self.port = run.config.registry.built_in_port
        self.connections: Group | None = None

    def establish(self, image: str, service: str) -> str | None:
        """Send the image or open the tunnel; return shell text that gets it then, ``None`` if the log has why not."""
        config, log = self.run.config, self.host.log
        try:
            self.is_started = self.is_started or registry.started(config.registry, Programs(log, log))
            # What it is pulled by, so that no other answer on the host's loopback is taken for the image.
            digest = registry.digest(self.port, config.image, image.rpartition(":")[2]) if self.is_started else None
        except BuildFailed as error:
            log(str(error))
            return None
        transport = transport_of(self.host)
        if digest is not None and (transport is None or self._is_forwarded(transport)):
            return registry.pull(image, digest, service, self.port)
        return was_loaded(image, service) if _send(self.host, image, config.pull_timeout) else None

    def _is_forwarded(self, transport: Any) -> bool:
        connections, image = Group(), self.run.config.image

        def join(channel: Channel, *_: object) -> None:
            connections.spawn(join_read_only, channel, self.port, image)  # the transport's own must go on reading

        try:
            with gevent.Timeout(ANSWER_SECONDS, SSHException("no answer")):
                transport.request_port_forward(LOOPBACK, self.port, join)
        except SSHException:
            self.host.log(f"sshd does not forward {LOOPBACK}:{self.port}")
            return False
        self.connections = connections
        return True

    def close(self) -> None:
        """Close the port on the host's loopback, and end what still reads."""
        connections, self.connections = self.connections, None
        transport = transport_of(self.host)
        if connections is None or transport is None:
            return
        with gevent.Timeout(ANSWER_SECONDS, False):
            transport.cancel_port_forward(LOOPBACK, self.port)
        connections.kill(timeout=ANSWER_SECONDS)


def _send(host: Host, image: str, seconds: int) -> bool:
    """`docker save` on this machine, `docker load` on the host, with nothing in between but the connection."""
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
    """Why it was not sent; empty if it was. The output of both sides is read too, or they would wait."""
    channel = stream(host, guarded(LOAD, seconds=seconds, key="pull_timeout"))
    save, pipe = ["docker", "save", image], subprocess.PIPE
    saving = subprocess.Popen(save, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)  # noqa: S603 - no shell
    of_save, of_load = deque[bytes](maxlen=LAST_CHUNKS), deque[bytes](maxlen=LAST_CHUNKS)
    readers = [gevent.spawn(pump, saving.stderr and saving.stderr.readline, of_save.append)]
    readers += [gevent.spawn(pump, read, of_load.append) for read in (channel.recv, channel.recv_stderr)]
    try:
        is_whole = saving.stdout is not None and pump(saving.stdout.read, channel.sendall)
        if not is_whole:  # the host has ended; `docker save` would write on without a reader
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
    side, last, ended = ("load", of_load, code) if code != 0 else ("save", of_save, saved)
    lines = b"".join(last).decode(errors="replace").strip().splitlines()
    return sanitized(lines[-1]) if lines else f"docker {side} exited {ended}"
