"""The proxy itself: it listens for requests and for its own command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from .exchange import Answer, ErrorAnswer, HostError, Request
from .log import debug, log
from .pages import page
from .places import socket_path, state_path
from .router import REFUSALS, Router
from .service import Service
from .wire import Headers, MalformedError, Stream

SHUTDOWN = 10.0
CUT_OFF = 0.1
MOST_LOOKUPS = 64
HTML = "text/html; charset=utf-8"
LONGEST_COMMAND = 1 << 24


class PortTakenError(Exception):
    """A port cannot be had; the text says why."""


@dataclass(eq=False)
class Connection:
    """A client's connection, and whether a request is under way on it."""

    stream: Stream
    is_busy: bool = False


class Server:
    """Ports for requests, and a socket for commands."""

    def __init__(self, http_port: int, https_port: int) -> None:
        self.ports = {False: http_port, True: https_port}
        self.router = Router(state_path())
        self.connections: set[Connection] = set()
        self.commands: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    async def run(self) -> None:
        """Serve until a signal says stop; then let requests end."""
        self.router.restore()
        stop = asyncio.Event()
        # A name that nobody has takes long to look up; that must not hold up the other names.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_LOOKUPS))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        asyncio.get_running_loop().set_exception_handler(_note)
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.set_alpn_protocols(["http/1.1"])
        secure.sni_callback = self.router.choose_certificate
        listeners = [
            await asyncio.start_server(
                partial(self._connected, is_tls), sock=_listen(port), ssl=secure if is_tls else None
            )
            for is_tls, port in self.ports.items()
        ]
        socket_path().unlink(missing_ok=True)
        orders = await asyncio.start_unix_server(self._commanded, socket_path(), limit=LONGEST_COMMAND)
        log("INFO", "Server started", http=self.ports[False], https=self.ports[True])
        await stop.wait()
        for listener in (orders, *listeners):
            listener.close()
        await self._finish()
        for command in self.commands:
            command.cancel()
        # Clients say that they were cut off before the end of this process takes them along.
        await asyncio.sleep(CUT_OFF)
        log("INFO", "Server stopped")

    async def _finish(self) -> None:
        self.is_stopping = True
        deadline = time.monotonic() + SHUTDOWN
        while self.connections and time.monotonic() < deadline:
            for connection in list(self.connections):
                if not connection.is_busy:
                    connection.stream.close()
                    self.connections.discard(connection)
            await asyncio.sleep(0.02)

    # Requests

    async def _connected(self, is_tls: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(Stream(reader, writer))
        self.connections.add(connection)
        try:
            while await self._serve(connection, is_tls):
                connection.is_busy = False
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(connection)
            with suppress(OSError):
                writer.close()

    async def _serve(self, connection: Connection, is_tls: bool) -> bool:
        """Answer one request; return whether another may follow."""
        stream = connection.stream
        try:
            head = await stream.head()
            if head is None:
                return False
            connection.is_busy = True
            request = Request.read(*head, stream, is_tls=is_tls)
        except MalformedError as error:
            reason = f": {error}" if isinstance(error, HostError) else ""
            head_lines = (
                "Content-Type: text/plain; charset=utf-8",
                "Connection: close",
                "",
                f"400 Bad Request{reason}",
            )
            await stream.write("\r\n".join([f"HTTP/1.1 400 Bad Request{reason}", *head_lines]).encode())
            return False
        answer = Answer(stream, request.method, request.version, request.keeps_alive and not self.is_stopping)
        began = time.monotonic_ns()
        service = self.router.find(request)
        target = ""
        try:
            target = await self._answer(service, request, answer)
        finally:
            self._note_request(request, answer, service, target, time.monotonic_ns() - began)
        return answer.keeps_alive and await request.read_off()

    @staticmethod
    async def _answer(service: Service | None, request: Request, answer: Answer) -> str:
        try:
            if request.target == "*" and request.method == "OPTIONS":
                await answer.start(200, Headers(), 0)
                return ""
            if service is None:
                raise ErrorAnswer(404)
            return await service.answer(request, answer)
        except ErrorAnswer as error:
            own = service.pages if service else {}
            await answer.whole(error.status, page(error.status, error.message, own), HTML)
        except MalformedError as error:
            answer.keeps_alive = False
            await answer.whole(400, f"400 Bad Request: {error}")
        return ""

    def _note_request(
        self, request: Request, answer: Answer, service: Service | None, target: str, duration: int
    ) -> None:
        options = service.target_options if service else None
        log(
            "INFO",
            "Request",
            host=request.headers.get("Host"),
            port=self.ports[request.is_tls],
            path=request.path,
            request_id=request.headers.get("X-Request-Id"),
            status=answer.status or 499,
            service=service.name if service else "",
            target=target,
            duration=duration,
            method=request.method,
            req_content_length=-1 if request.ending.is_chunked else request.ending.length,
            req_content_type=request.headers.get("Content-Type"),
            resp_content_length=answer.sent,
            resp_content_type=answer.headers.get("Content-Type"),
            client_addr=request.client[0],
            client_port=str(request.client[1]),
            remote_addr=request.headers.get("X-Forwarded-For") or request.client[0],
            user_agent=request.headers.get("User-Agent"),
            proto=request.version,
            scheme="https" if request.is_tls else "http",
            query=request.query,
            **_logged("req", request.headers, options.log_request_headers if options else None),
            **_logged("resp", answer.headers, options.log_response_headers if options else None),
        )

    # Commands

    async def _commanded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out a command; it goes on when whoever gave it is gone."""
        command = asyncio.ensure_future(self._carry_out(reader, writer))
        self.commands.add(command)
        command.add_done_callback(self.commands.discard)

    async def _carry_out(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply: dict[str, Any] = {"error": ""}
        try:
            line = await reader.readline()
            if not line:
                return
            args = json.loads(line)
            if args["verb"] == "list":
                reply["rows"] = self.router.rows()
            else:
                verb: Callable[[dict[str, Any]], Awaitable[None]] = getattr(self.router, args["verb"])
                await verb(args)
        except REFUSALS as error:
            reply["error"] = str(error)
        except asyncio.CancelledError:
            writer.close()
            raise
        with suppress(OSError):
            writer.write(json.dumps(reply).encode() + b"\n")
            writer.close()


def _logged(prefix: str, headers: Headers, names: list[str] | None) -> dict[str, str]:
    """Return the headers that a service wants in the log."""
    return {f"{prefix}_{name.lower().replace('-', '_')}": ",".join(headers.all(name)) for name in names or []}


def _listen(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both, backlog=1024)
    except OSError as error:
        raise PortTakenError(f"listen tcp :{port}: bind: {os.strerror(error.errno or 0).lower()}") from None


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log("DEBUG", str(context.get("message", "")), error=repr(context.get("exception", "")))


def serve(http_port: int, https_port: int, *, is_debugging: bool) -> None:
    """Run the proxy until it is told to stop."""
    debug(is_debugging)
    asyncio.run(Server(http_port, https_port).run())
