"""HTTP/1.1 on a connection: heads, headers and bodies, read and written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

LONGEST_HEAD = 1 << 20
PIECE = 1 << 15
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
BODILESS = (204, 304)
HOP_BY_HOP = (
    "Connection",
    "Proxy-Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Te",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)


class MalformedError(Exception):
    """What came is not HTTP/1.1; the text says why."""


class TruncatedError(ConnectionError):
    """The connection ended in the middle of a message."""


class Headers:
    """The headers of a message, in their order, with canonical names."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = [(canonical(name), value) for name, value in pairs]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def get(self, name: str) -> str:
        """Return the first value, or nothing."""
        return next((value for other, value in self.pairs if other == canonical(name)), "")

    def all(self, name: str) -> list[str]:
        return [value for other, value in self.pairs if other == canonical(name)]

    def tokens(self, name: str) -> list[str]:
        """Return the values of a list, in lower case."""
        return [token.strip().lower() for value in self.all(name) for token in value.split(",") if token.strip()]

    def add(self, name: str, value: str) -> None:
        self.pairs.append((canonical(name), value))

    def set(self, name: str, value: str) -> None:
        """Give a header one value, at the place of its first."""
        if (pair := next((pair for pair in self.pairs if pair[0] == canonical(name)), None)) is None:
            self.add(name, value)
            return
        place = self.pairs.index(pair)
        self.pairs[place] = (pair[0], value)
        self.pairs[place + 1 :] = [other for other in self.pairs[place + 1 :] if other[0] != pair[0]]

    def remove(self, *names: str) -> None:
        gone = {canonical(name) for name in names}
        self.pairs = [pair for pair in self.pairs if pair[0] not in gone]

    def copy(self) -> Headers:
        return Headers(self.pairs)

    def without_hops(self) -> Headers:
        """Return those that are meant for the other end, not for this connection."""
        kept = self.copy()
        kept.remove(*HOP_BY_HOP, *self.tokens("Connection"))
        return kept

    def upgrade(self) -> str:
        """Return the protocol that the sender wants to go on with."""
        return self.get("Upgrade") if "upgrade" in self.tokens("Connection") else ""


def canonical(name: str) -> str:
    """Write a header's name as Go does."""
    return "-".join(part.capitalize() for part in name.split("-"))


@dataclass(frozen=True)
class Framing:
    """How a body ends: after a length, by its chunks, or (neither) with the connection."""

    length: int | None = None
    is_chunked: bool = False

    @property
    def is_empty(self) -> bool:
        return self.length == 0


def framing(headers: Headers, *, otherwise: Framing) -> Framing:
    """Read how the body of a message ends."""
    if headers.all("Transfer-Encoding"):
        if headers.tokens("Transfer-Encoding") != ["chunked"]:
            raise MalformedError("unsupported transfer encoding")
        return Framing(is_chunked=True)
    lengths = set(headers.all("Content-Length"))
    if not lengths:
        return otherwise
    length = lengths.pop()
    if lengths or not length.isdecimal():
        raise MalformedError("bad Content-Length")
    return Framing(int(length))


class Stream:
    """A connection with what has arrived on it and was not yet read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.buffer = bytearray()

    async def fill(self) -> bool:
        """Wait for more; return whether there was more."""
        data = await self.reader.read(PIECE)
        self.buffer += data
        return bool(data)

    async def head(self) -> tuple[str, Headers] | None:
        """Read a message's first line and headers; nothing when the connection ends before them."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > LONGEST_HEAD:
                raise MalformedError("head too long")
            if not await self.fill():
                if self.buffer.strip():
                    raise TruncatedError("unexpected EOF")
                return None
        lines = self.take(end + 4).decode("latin-1").lstrip("\r\n").split("\r\n")[:-2]
        return lines[0], Headers(self._header(line) for line in lines[1:])

    @staticmethod
    def _header(line: str) -> tuple[str, str]:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.fullmatch(name):
            raise MalformedError("malformed header")
        return name, value.strip()

    def take(self, count: int) -> bytes:
        """Return the first bytes of the buffer."""
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def line(self) -> bytes:
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > PIECE:
                raise MalformedError("malformed chunked encoding")
            if not await self.fill():
                raise TruncatedError("unexpected EOF")
        return self.take(end + 1).strip()

    async def exactly(self, count: int) -> AsyncIterator[bytes]:
        """Give so many bytes, as they arrive."""
        while count:
            if not self.buffer and not await self.fill():
                raise TruncatedError("unexpected EOF")
            piece = self.take(min(count, PIECE))
            count -= len(piece)
            yield piece

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the contents of chunks, as they arrive."""
        while size := self._chunk_size(await self.line()):
            async for piece in self.exactly(size):
                yield piece
            if await self.line():
                raise MalformedError("malformed chunked encoding")
        while await self.line():
            pass

    @staticmethod
    def _chunk_size(line: bytes) -> int:
        digits = line.partition(b";")[0].strip()
        try:
            return int(b"0x" + digits, 16)
        except ValueError:
            raise MalformedError("invalid byte in chunk length") from None

    async def rest(self) -> AsyncIterator[bytes]:
        """Give all that comes until the connection ends."""
        while self.buffer or await self.fill():
            yield self.take(PIECE)

    def body(self, ending: Framing) -> AsyncIterator[bytes]:
        """Give a body, as it arrives."""
        if ending.is_chunked:
            return self.chunks()
        return self.rest() if ending.length is None else self.exactly(ending.length)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    @property
    def is_over(self) -> bool:
        """Tell whether the other end has closed, or sent what nobody asked for."""
        return bool(self.buffer) or self.reader.at_eof() or self.writer.is_closing()

    def close(self) -> None:
        self.writer.close()


def head_bytes(first_line: str, headers: Headers) -> bytes:
    """Write a message's first line and headers."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
