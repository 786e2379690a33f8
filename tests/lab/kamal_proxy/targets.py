"""A target: a container that requests are sent to, with those that are under way."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from .cookies import scoped
from .durations import SECOND
from .exchange import Answer, ErrorAnswer, Request
from .log import log
from .options import TargetOptions
from .upstream import ClientError, Outgoing, Reply, Upstream, UpstreamTimeoutError
from .wire import PIECE, Headers, MalformedError, Stream

ADDRESS = re.compile(r"(\w[-_.\w+]+)(:\d+)?", re.ASCII)
ADDING, DRAINING, HEALTHY, UNHEALTHY = "adding", "draining", "healthy", "unhealthy"
UNESCAPED = "$&+,/:;=@"
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")


class InvalidTargetError(Exception):
    """An address that no target can have."""


class TooLargeError(Exception):
    """A body is larger than the service allows."""


@dataclass(eq=False)
class Flight:
    """A request that a target has not answered yet.

    Args:
        work: what answers it; not there before it has begun.
        is_answered: the target has begun to answer.
        is_tunnel: the connection was handed over to another protocol.
        is_cut: the target's drain has ended it.
    """

    work: asyncio.Task[None] | None = None
    is_tunnel: bool = False
    is_cut: bool = False
    is_answered: bool = False
    landed: asyncio.Event = field(default_factory=asyncio.Event)

    def cut(self) -> None:
        self.is_cut = True
        if self.work is not None:
            self.work.cancel()


class Target:
    """One address, with its state and its requests."""

    def __init__(self, address: str, options: TargetOptions, *, is_reader: bool = False) -> None:
        if not ADDRESS.fullmatch(address):
            raise InvalidTargetError(f"{address} :invalid host pattern")
        self.address = address
        self.options = options
        self.is_reader = is_reader
        self.state = ADDING
        self.flights: set[Flight] = set()
        self.upstream = Upstream(address)

    def claim(self) -> Flight:
        """Count a request as this target's; while it drains it takes none."""
        if self.state == DRAINING:
            raise ErrorAnswer(503)
        flight = Flight()
        self.flights.add(flight)
        return flight

    async def drain(self, timeout: float) -> None:
        """Take no new requests; let those under way end within the timeout, then cut them."""
        before, self.state = self.state, DRAINING
        if before == DRAINING:
            return
        flights = set(self.flights)
        for flight in flights:
            if flight.is_tunnel:
                flight.cut()
        if landings := [asyncio.ensure_future(flight.landed.wait()) for flight in flights]:
            _, late = await asyncio.wait(landings, timeout=timeout)
            for landing in late:
                landing.cancel()
        for flight in flights:
            if not flight.landed.is_set():
                flight.cut()
        self.state = before
        self.upstream.close()

    async def send(self, flight: Flight, request: Request, answer: Answer, cookies: list[str]) -> None:
        """Let the target answer a request; what ends early is told apart by who ended it."""
        gone = asyncio.ensure_future(request.client_gone())
        flight.work = asyncio.ensure_future(self._exchange(flight, gone, request, answer, cookies))
        if flight.is_cut:
            flight.work.cancel()
        try:
            await asyncio.wait({flight.work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not flight.work.done() and not gone.cancelled():
                flight.work.cancel()
            await asyncio.wait({flight.work})
        finally:
            gone.cancel()
            flight.work.cancel()
            await asyncio.gather(gone, flight.work, return_exceptions=True)
            self.flights.discard(flight)
            flight.landed.set()
        self._conclude(flight, request, answer)

    def _conclude(self, flight: Flight, request: Request, answer: Answer) -> None:
        work = flight.work
        error = None if work is None or work.cancelled() else work.exception()
        if work is not None and not work.cancelled() and error is None:
            return
        if answer.is_started or (flight.is_answered and not flight.is_cut):
            answer.abort()
            return
        if flight.is_cut:
            log("INFO", "Request cancelled due to draining", target=self.address, path=request.path)
            raise ErrorAnswer(504)
        if isinstance(error, ErrorAnswer):
            raise error
        if isinstance(error, MalformedError):
            answer.keeps_alive = False
            raise ErrorAnswer(502)
        if isinstance(error, UpstreamTimeoutError):
            raise ErrorAnswer(504)
        if error is None or isinstance(error, ClientError):
            answer.abort()
            return
        log("ERROR", "Error while proxying", target=self.address, path=request.path, error=str(error))
        raise ErrorAnswer(502)

    async def _exchange(
        self, flight: Flight, gone: asyncio.Future[None], request: Request, answer: Answer, cookies: list[str]
    ) -> None:
        body = _from_client(request)
        if self.options.buffer_requests:
            try:
                body = _pieces(await _collected(body, self.options.max_request_body_size))
            except TooLargeError:
                answer.keeps_alive = answer.keeps_alive and await request.read_off()
                await answer.whole(413, "Request too large\n")
                return
        outgoing = self._outgoing(request, body)
        stream, reply = await self.upstream.ask(outgoing, self.options.response_timeout / SECOND)
        flight.is_answered = True
        is_done = False
        try:
            if reply.status == 101:
                flight.is_tunnel = True
                gone.cancel()
                await asyncio.gather(gone, return_exceptions=True)
                await _tunnel(request, answer, stream, reply)
            else:
                await self._relay(request, answer, stream, reply, cookies)
                is_done = reply.may_reuse and request.is_read.is_set()
        finally:
            if is_done:
                self.upstream.give_back(stream)
            else:
                stream.close()

    async def _relay(self, request: Request, answer: Answer, stream: Stream, reply: Reply, cookies: list[str]) -> None:
        headers = reply.headers.without_hops()
        if self.options.scope_cookie_paths and request.prefix:
            headers = scoped(headers, request.prefix, request.host)
        if cookies and headers.get("X-Writer-Affinity") != "false":
            for cookie in cookies:
                headers.add("Set-Cookie", cookie)
        if cookies:
            headers.remove("X-Writer-Affinity")
        body, length = stream.body(reply.ending), reply.ending.length
        if asks_gzip(request) and headers.get("Content-Encoding").lower() == "gzip" and not reply.ending.is_empty:
            headers.remove("Content-Encoding", "Content-Length")
            body, length = _unpacked(body), None
        if request.method == "HEAD":
            length = int(text) if (text := headers.get("Content-Length")).isdecimal() else None
        is_stream = reply.headers.get("Content-Type").partition(";")[0].strip() == "text/event-stream"
        if self.options.buffer_responses and not is_stream:
            try:
                data = await _collected(body, self.options.max_response_body_size)
            except TooLargeError:
                log("INFO", "Response exceeded max response limit", path=request.path)
                await answer.whole(500, "Internal Server Error\n")
                return
            body, length = _pieces(data), length if request.method == "HEAD" else len(data)
        await answer.start(reply.status, headers, length)
        async for piece in body:
            await answer.write(piece)
        await answer.finish()

    def _outgoing(self, request: Request, body: AsyncIterator[bytes]) -> Outgoing:
        headers = request.headers.without_hops()
        if protocol := request.headers.upgrade():
            headers.set("Connection", "Upgrade")
            headers.set("Upgrade", protocol)
        headers.remove(*FORWARDING)
        if not headers.get("User-Agent"):
            headers.remove("User-Agent")
        if "trailers" in request.headers.tokens("Te"):
            headers.set("Te", "trailers")
        if request.ending.is_empty and request.method in ("POST", "PUT", "PATCH"):
            headers.set("Content-Length", "0")
        if len(lengths := headers.all("Content-Length")) > 1:
            headers.set("Content-Length", lengths[0])
        headers.set("Host", request.headers.get("Host") or self.address)
        if asks_gzip(request):
            headers.set("Accept-Encoding", "gzip")
        given = request.headers if self.options.forward_headers else Headers()
        headers.set("X-Forwarded-For", ", ".join([*given.all("X-Forwarded-For"), request.client[0]]))
        headers.set("X-Forwarded-Host", given.get("X-Forwarded-Host") or request.headers.get("Host"))
        headers.set("X-Forwarded-Proto", given.get("X-Forwarded-Proto") or ("https" if request.is_tls else "http"))
        headers.set("X-Kamal-Target", ", ".join([*given.all("X-Kamal-Target"), self.address]))
        path = request.raw_path
        if request.prefix:
            stripped = request.path.removeprefix(request.prefix) or "/"
            path = quote(stripped.encode(errors="surrogateescape"), safe=UNESCAPED)
        target = f"{path}?{request.query}" if "?" in request.target else path
        return Outgoing(request.method, target, headers, request.ending, body)


def asks_gzip(request: Request) -> bool:
    """Tell whether the proxy asks a target to pack, which it undoes: where the client has no wish of its own."""
    return request.method != "HEAD" and not request.headers.all("Accept-Encoding") and not request.headers.all("Range")


async def _unpacked(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    async for piece in body:
        if data := unpack.decompress(piece):
            yield data


async def _from_client(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.body():
            yield piece
    except (ConnectionError, MalformedError) as error:
        raise (error if isinstance(error, MalformedError) else ClientError()) from error


async def _collected(body: AsyncIterator[bytes], most: int) -> bytes:
    data = bytearray()
    async for piece in body:
        data += piece
        if 0 < most < len(data):
            raise TooLargeError
    return bytes(data)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


async def _tunnel(request: Request, answer: Answer, stream: Stream, reply: Reply) -> None:
    """Pass bytes both ways until either end closes."""
    headers = reply.headers.without_hops()
    headers.set("Connection", "Upgrade")
    headers.set("Upgrade", reply.headers.get("Upgrade"))
    await answer.switch(headers)
    ways = [asyncio.ensure_future(_pass(*ends)) for ends in ((request.stream, stream), (stream, request.stream))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pass(source: Stream, sink: Stream) -> None:
    with suppress(ConnectionError):
        async for piece in source.rest():
            await sink.write(piece)
