"""A target for proxies: it tells what reached it, and is sick while the file /state/NAME is there.

Routes: /up and /well (health), /hop (leads to /up), /name, /slow?s=1.5, /busy (how many requests are slow just now),
/chunks?s=0.3 (three, with pauses), /events?s=0.3 (the same as server-sent events), /bytes?n=1000, /half (ends in the
middle), /cookie, /nothing (204), /socket (takes an upgrade to the protocol `echo`); whatever else is asked is told back
as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NAME = os.environ.get("NAME", "echo")
LONGEST_WAIT = 20.0


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.slow: list[Handler] = []

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            sys.excepthook(*sys.exc_info())


class Handler(BaseHTTPRequestHandler):
    """Answers every method."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: float(values[0]) for name, values in parse_qs(address.query).items() if name in ("s", "n")}
        body = self.body()
        if address.path in ("/up", "/well"):
            is_sick = Path("/state", NAME).exists()
            self.answer(503 if is_sick else 200, "sick\n" if is_sick else "well\n")
        elif address.path == "/hop":
            self.answer(302, "", ("Location", "/up"))
        elif address.path == "/slow":
            self.slow(min(query.get("s", 1.0), LONGEST_WAIT))
        elif address.path in ("/chunks", "/events"):
            self.stream(min(query.get("s", 0.3), LONGEST_WAIT), is_events=address.path == "/events")
        elif address.path == "/bytes":
            self.answer(200, "x" * int(query.get("n", 1000)))
        elif address.path == "/socket" and self.headers.get("Upgrade") == "echo":
            self.socket()
        else:
            self.special(address.path, body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def slow(self, seconds: float) -> None:
        self.server.slow.append(self)
        time.sleep(seconds)
        self.server.slow.remove(self)
        self.answer(200, NAME)

    def special(self, path: str, body: bytes) -> None:
        if path == "/name":
            self.answer(200, NAME)
        elif path == "/busy":
            self.answer(200, str(len(self.server.slow)))
        elif path == "/cookie":
            self.answer(200, NAME, ("Set-Cookie", "taste=sweet; Path=/jar"), ("X-Writer-Affinity", "false"))
        elif path == "/nothing":
            self.send_response(204)
            self.end_headers()
        elif path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            told = {"name": NAME, "method": self.command, "path": self.path, "body": body.decode()}
            self.answer(200, json.dumps(told | {"headers": [list(pair) for pair in self.headers.items()]}))

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def answer(self, status: int, body: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def stream(self, pause: float, *, is_events: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if is_events else "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(0 if self.command == "HEAD" else 3):
            text = f"data: {number}\n\n" if is_events else f"{number}\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text.encode()))
            time.sleep(pause)
        self.wfile.write(b"" if self.command == "HEAD" else b"0\r\n\r\n")

    def socket(self) -> None:
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "echo")
        self.end_headers()
        self.close_connection = True
        while data := self.rfile.readline():
            self.wfile.write(NAME.encode() + b" " + data)

    def log_message(self, format: str, *args: object) -> None:
        return


if __name__ == "__main__":
    Server(("0.0.0.0", 3000)).serve_forever()
