"""Connections to a target: a request goes out, the head of its answer comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .wire import BODILESS, Framing, Headers, MalformedError, Stream, chunk, framing, head_bytes

MOST_IDLE = 100
REPEATABLE = ("GET", "HEAD", "OPTIONS", "TRACE")


class UpstreamTimeoutError(Exception):
    """A target did not begin to answer in time."""


class ClientError(Exception):
    """The client did not send the body that it announced."""


@dataclass(frozen=True)
class Outgoing:
    """A request as the target gets it."""

    method: str
    target: str
    headers: Headers
    ending: Framing
    body: AsyncIterator[bytes]


@dataclass(frozen=True)
class Reply:
    """The head of a target's answer, and how its body ends."""

    status: int
    headers: Headers
    ending: Framing
    may_reuse: bool


@dataclass
class Upstream:
    """The connections to one target; those that are idle are used again."""

    address: str
    idle: list[Stream] = field(default_factory=list)

    async def ask(self, request: Outgoing, timeout: float) -> tuple[Stream, Reply]:
        """Send a request, and wait for the answer to begin; `timeout` counts from when all of it is sent."""
        is_whole = request.method in REPEATABLE and request.ending.is_empty
        while (stream := self._idle_one()) is not None:
            try:
                return stream, await self._ask(stream, request, timeout)
            except ConnectionError:
                # The target closed it at that moment: what can be asked twice is asked on another connection.
                if not is_whole:
                    raise
        stream = await connect(self.address)
        return stream, await self._ask(stream, request, timeout)

    def give_back(self, stream: Stream) -> None:
        """Keep a connection for the next request."""
        if len(self.idle) < MOST_IDLE and not stream.is_over:
            self.idle.append(stream)
        else:
            stream.close()

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()

    def _idle_one(self) -> Stream | None:
        while self.idle:
            stream = self.idle.pop()
            if not stream.is_over:
                return stream
            stream.close()
        return None

    @staticmethod
    async def _ask(stream: Stream, request: Outgoing, timeout: float) -> Reply:
        sending = asyncio.ensure_future(_send(stream, request))
        receiving = asyncio.ensure_future(receive(stream, request.method))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await _raise_clients(sending)
                await asyncio.wait({receiving}, timeout=timeout or None)
            if not receiving.done():
                raise UpstreamTimeoutError
            return receiving.result()
        except BaseException:
            stream.close()
            raise
        finally:
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)


async def _raise_clients(sending: asyncio.Future[None]) -> None:
    """Go on when the target took no more of the request (it may have answered), not when the client sent no more."""
    try:
        await sending
    except ClientError:
        raise
    except OSError:
        return


async def connect(address: str) -> Stream:
    """Open a connection to `NAME` or `NAME:PORT`."""
    host, _, port = address.partition(":")
    return Stream(*await asyncio.open_connection(host, int(port or 80)))


async def _send(stream: Stream, request: Outgoing) -> None:
    headers = request.headers.copy()
    if request.ending.is_chunked:
        headers.set("Transfer-Encoding", "chunked")
        headers.remove("Content-Length")
    await stream.write(head_bytes(f"{request.method} {request.target} HTTP/1.1", headers))
    if request.ending.is_empty:
        return
    async for piece in request.body:
        await stream.write(chunk(piece) if request.ending.is_chunked else piece)
    if request.ending.is_chunked:
        await stream.write(b"0\r\n\r\n")


async def receive(stream: Stream, method: str) -> Reply:
    """Read the head of an answer; those that only announce it are passed over."""
    while True:
        try:
            head = await stream.head()
        except MalformedError as error:
            raise ConnectionAbortedError(f"malformed HTTP response: {error}") from None
        if head is None:
            raise ConnectionResetError("EOF")
        first, headers = head
        version, _, rest = first.partition(" ")
        status = int(rest[:3]) if rest[:3].isdecimal() else 0
        if not version.startswith("HTTP/1.") or status < 100:
            raise ConnectionAbortedError(f"malformed HTTP response {first!r}")
        if status >= 200 or status == 101:
            break
    try:
        ending = framing(headers, otherwise=Framing())
    except MalformedError as error:
        raise ConnectionAbortedError(f"malformed HTTP response: {error}") from None
    if method == "HEAD" or status in BODILESS or status == 101:
        ending = Framing(0)
    closes = "close" in headers.tokens("Connection") or (version == "HTTP/1.0")
    is_open_ended = ending.length is None and not ending.is_chunked
    return Reply(status, headers, ending, not closes and not is_open_ended and method != "HEAD")
