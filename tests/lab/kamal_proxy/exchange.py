"""A request of a client, and the answer to it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote_to_bytes, urlsplit

from .wire import BODILESS, Framing, Headers, MalformedError, Stream, chunk, framing, head_bytes

MOST_UNREAD = 256 << 10
READING = ("GET", "HEAD")
PLAIN = "text/plain; charset=utf-8"


class ErrorAnswer(Exception):
    """The proxy itself answers, with a page for this status."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message = message


class HostError(MalformedError):
    """A request does not say, or not clearly, for which host it is."""


@dataclass
class Request:
    """What a client asks; `prefix` is the part of the path that its service takes off."""

    stream: Stream
    method: str
    target: str
    version: str
    headers: Headers
    ending: Framing
    client: tuple[str, int]
    is_tls: bool
    prefix: str = ""
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    _body: AsyncIterator[bytes] | None = None

    @classmethod
    def read(cls, first_line: str, headers: Headers, stream: Stream, *, is_tls: bool) -> Request:
        """Read a request's head."""
        words = first_line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha():
            raise MalformedError("malformed request")
        if words[2] != "HTTP/1.0" and not headers.all("Host"):
            raise HostError("missing required Host header")
        if len(headers.all("Host")) > 1:
            raise MalformedError("too many Host headers")
        target = words[1]
        if not target.startswith("/") and target != "*":
            parts = urlsplit(target)
            if not parts.netloc:
                raise MalformedError("malformed request")
            headers.set("Host", parts.netloc)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        for name, value in (
            ("X-Request-Id", str(uuid.uuid4())),
            ("X-Request-Start", f"t={time.time_ns() // 1_000_000}"),
        ):
            if not headers.get(name):
                headers.set(name, value)
        address = stream.writer.get_extra_info("peername")
        client = (str(address[0]).removeprefix("::ffff:"), int(address[1]))
        request = cls(
            stream, words[0], target, words[2], headers, framing(headers, otherwise=Framing(0)), client, is_tls
        )
        if request.ending.is_empty:
            request.is_read.set()
        return request

    @property
    def host(self) -> str:
        """The host that is asked for, without a port."""
        name = self.headers.get("Host")
        if name.startswith("["):
            return name[1:].partition("]")[0]
        return name.rpartition(":")[0] if name.count(":") == 1 else name

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        return unquote_to_bytes(self.raw_path.encode("latin-1")).decode(errors="surrogateescape")

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def is_reading(self) -> bool:
        return self.method in READING

    @property
    def is_websocket(self) -> bool:
        return self.method == "GET" and self.headers.upgrade().lower() == "websocket"

    @property
    def keeps_alive(self) -> bool:
        wishes = self.headers.tokens("Connection")
        return "keep-alive" in wishes if self.version == "HTTP/1.0" else "close" not in wishes

    def cookie(self, name: str) -> str:
        """Return a cookie's value, or nothing."""
        for text in self.headers.all("Cookie"):
            try:
                found = SimpleCookie(text).get(name)
            except CookieError:
                continue
            if found is not None:
                return found.value
        return ""

    def body(self) -> AsyncIterator[bytes]:
        """Give the body, or what is left of it."""
        if self._body is None:
            self._body = self._pieces()
        return self._body

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self.is_read.is_set():
            return
        if "100-continue" in self.headers.tokens("Expect"):
            await self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for piece in self.stream.body(self.ending):
            yield piece
        self.is_read.set()

    async def read_off(self) -> bool:
        """Read what is left of the body; return whether the next request can be found behind it."""
        left = 0
        async for piece in self.body():
            left += len(piece)
            if left > MOST_UNREAD:
                break
        return self.is_read.is_set()

    async def client_gone(self) -> None:
        """Wait until the client has closed its connection; what it sends before that is its next request."""
        await self.is_read.wait()
        if await self.stream.fill():
            await asyncio.Event().wait()


@dataclass
class Answer:
    """What a client gets; framed as its version of HTTP wants it."""

    stream: Stream
    method: str = "GET"
    version: str = "HTTP/1.1"
    keeps_alive: bool = True
    status: int = 0
    sent: int = 0
    headers: Headers = field(default_factory=Headers)
    is_broken: bool = False
    _is_chunked: bool = False

    @property
    def is_started(self) -> bool:
        return self.status != 0

    async def start(self, status: int, headers: Headers, length: int | None) -> None:
        """Send the head; without a length the body goes out in chunks, or to the connection's end."""
        self.status = status
        self.headers = headers
        if not headers.get("Date"):
            headers.set("Date", formatdate(usegmt=True))
        if status not in BODILESS and length is not None:
            headers.set("Content-Length", str(length))
        elif status not in BODILESS and self.method != "HEAD":
            self._is_chunked = self.version != "HTTP/1.0"
            self.keeps_alive = self.keeps_alive and self._is_chunked
            if self._is_chunked:
                headers.set("Transfer-Encoding", "chunked")
        self.keeps_alive = self.keeps_alive and headers.get("Connection") != "close"
        is_old = self.version == "HTTP/1.0"
        if is_old is self.keeps_alive:
            headers.set("Connection", "keep-alive" if is_old else "close")
        version = "HTTP/1.0" if is_old else "HTTP/1.1"
        await self.stream.write(head_bytes(f"{version} {status} {phrase(status)}", headers))

    async def switch(self, headers: Headers) -> None:
        """Agree to go on with another protocol."""
        self.status = 101
        self.keeps_alive = False
        await self.stream.write(head_bytes("HTTP/1.1 101 Switching Protocols", headers))

    async def write(self, data: bytes) -> None:
        if data and self.method != "HEAD":
            self.sent += len(data)
            await self.stream.write(chunk(data) if self._is_chunked else data)

    async def finish(self) -> None:
        if self._is_chunked and not self.is_broken:
            await self.stream.write(b"0\r\n\r\n")

    async def whole(self, status: int, body: str, content_type: str = PLAIN) -> None:
        """Send an answer of the proxy's own."""
        data = body.encode()
        headers = Headers([("Content-Type", content_type)])
        if content_type == PLAIN:
            headers.add("X-Content-Type-Options", "nosniff")
        await self.start(status, headers, len(data))
        await self.write(data)

    def abort(self) -> None:
        """Let the client notice that this answer is not whole."""
        self.is_broken = True
        self.keeps_alive = False
        self.stream.writer.transport.abort()


def phrase(status: int) -> str:
    """Return the words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status code {status}"
