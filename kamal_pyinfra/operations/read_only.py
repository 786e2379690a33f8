"""A registry through a door by which one image can be read and nothing can be written, whoever asks.

A host's loopback is open to all its users and containers. So requests are read, and made anew from what was understood:
``GET`` and ``HEAD`` of one image alone, without a body; a connection that brings anything else ends.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

import gevent
from paramiko import Channel

CHUNK = 1 << 16
LONGEST_HEAD = 1 << 14
IDLE_SECONDS = 120
"""For which a connection may be silent; engines keep some open for the next layer."""
CONNECT_SECONDS = 2
LOOPBACK = "127.0.0.1"

REFUSAL = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REQUEST = re.compile(rb"(GET|HEAD) (/v2/[A-Za-z0-9._:@/+-]*)(?:\?[!-~]*)? (HTTP/1\.[01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)")
PASSED_ON = frozenset((b"accept", b"accept-encoding", b"connection", b"if-none-match", b"if-range", b"range"))
"""Fields of a request that a pull needs; of others none is passed on, and those of a body are refused."""
OF_A_BODY = frozenset((b"content-length", b"transfer-encoding", b"upgrade", b"expect"))


class Refused(Exception):
    """A request that is none to read the image, or none at all."""


def join(channel: Channel, port: int, image: str) -> None:
    """Serve one connection of a host until one side ends it.

    Args:
        channel: the connection, as sshd hands it back.
        port: of the registry on this machine's loopback.
        image: the only one that may be read, without the registry's server.
    """
    try:
        here = socket.create_connection((LOOPBACK, port), timeout=CONNECT_SECONDS)
    except OSError:
        channel.close()
        return
    for end in (here, channel):
        end.settimeout(IDLE_SECONDS)
    back = gevent.spawn(pump, here.recv, channel.sendall)
    there = gevent.spawn(_ask, channel, here, image)
    try:
        gevent.wait([there, back], count=1)
        if there.ready():
            back.join(IDLE_SECONDS if there.value else 0)
    finally:
        gevent.killall([there, back], timeout=CONNECT_SECONDS)
        here.close()
        channel.close()


def pump(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> bool:
    """Pass bytes on until one side ends, fails or is silent for too long; returns whether all of them were."""
    try:
        while data := read(CHUNK):
            write(data)
    except (OSError, EOFError):
        return False
    return True


def _ask(channel: Channel, here: socket.socket, image: str) -> bool:
    """Pass requests on; returns whether there may be answers to come."""
    asked = 0
    try:
        for request in requests(channel.recv, image):
            here.sendall(request)
            asked += 1
        here.shutdown(socket.SHUT_WR)
    except Refused:
        if not asked:
            channel.sendall(REFUSAL)
        return False
    except (OSError, EOFError):
        return False
    return True


def requests(read: Callable[[int], bytes], image: str) -> Iterator[bytes]:
    """The requests of a connection, each made anew; also those that come before the one before is answered.

    Args:
        read: the next bytes; none at the end.
        image: the only one that may be read.

    Raises:
        Refused: a request is not to read the image.
    """
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
    """A request of what was understood of another.

    Raises:
        Refused: it is not to read the image.
    """
    first, *lines = head.split(b"\r\n")
    request, fields = REQUEST.fullmatch(first), [FIELD.fullmatch(line) for line in lines]
    if request is None or len(head) > LONGEST_HEAD or not _is_of(request[2].decode(), image):
        raise Refused
    names = [field[1].lower() for field in fields if field is not None]
    if len(names) < len(fields) or OF_A_BODY.intersection(names):
        raise Refused
    passed = [field[0] for field in fields if field is not None and field[1].lower() in PASSED_ON]
    return b"\r\n".join((b" ".join(request.groups()), b"Host: localhost", *passed, b"", b""))


def _is_of(path: str, image: str) -> bool:
    parts = (f"/v2/{image}/{kind}/" for kind in ("manifests", "blobs", "referrers"))
    return path == "/v2/" or (path.startswith(tuple(parts)) and ".." not in path.split("/"))
