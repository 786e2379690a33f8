"""A small web app that is slow, sick or stubborn on demand, and stops as a good one does.

Routes: /up (health), /version, /slow?s=1.5 (answers after that many seconds), /assets/*.
`python app.py worker` is the job role. Switches, by environment:
APP_START_DELAY=SECONDS     /up answers 503 for so long
APP_NEVER_HEALTHY=1         /up answers 503 for ever
APP_UNHEALTHY_ON=VALUE      the same, but only where APP_HOST_TAG is VALUE or the host name begins with it
APP_CRASH_AFTER=SECONDS     ends with exit code 1 after so long
APP_SICK_AFTER=SECONDS      /up answers 503 from then on
APP_FLAP=SECONDS            /up answers 503 for so long, then 200 for so long, and so on
APP_IGNORE_TERM=1           ends only when it is killed
"""

from __future__ import annotations

import json
import mimetypes
import os
import select
import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

HERE = Path(__file__).resolve().parent
ASSETS = HERE / "public/assets"
STARTED = time.monotonic()
GRACE = 4.5
LONGEST_WAIT = 60.0


def version() -> str:
    baked = HERE / "VERSION"
    found = baked.read_text().strip() if baked.exists() else "dev"
    return found if found != "dev" else os.environ.get("KAMAL_VERSION", "dev")


def log(**fields: object) -> None:
    print(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **fields}), flush=True)


def is_ready() -> bool:
    sick_place = os.environ.get("APP_UNHEALTHY_ON", "")
    is_sick_place = sick_place == os.environ.get("APP_HOST_TAG") or socket.gethostname().startswith(sick_place)
    if os.environ.get("APP_NEVER_HEALTHY") == "1" or (sick_place and is_sick_place):
        return False
    age = time.monotonic() - STARTED
    if (period := float(os.environ.get("APP_FLAP", "0"))) and int(age / period) % 2 == 0:
        return False
    return float(os.environ.get("APP_START_DELAY", "0")) <= age < float(os.environ.get("APP_SICK_AFTER", "inf"))


class Server(ThreadingHTTPServer):
    """Counts its connections, so that it can tell when the last one is done."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.is_stopping = False
        self.connections: set[socket.socket] = set()
        self.guard = threading.Lock()

    def handle_error(self, request: socketserver._RequestType, client_address: object) -> None:
        """A client that goes away in the middle is its own affair; a health check does, each time it fails."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def process_request_thread(self, request: socketserver._RequestType, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with self.guard:
            self.connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.guard:
                self.connections.discard(request)

    def finish(self) -> None:
        """Accept no more, let what is in flight end, and give the idle connections back."""
        self.is_stopping = True
        self.shutdown()
        while select.select([self.socket], [], [], 0)[0]:
            self.handle_request()
        self.socket.close()
        deadline = time.monotonic() + GRACE
        while self.open_connections() and time.monotonic() < deadline:
            time.sleep(0.02)

    def open_connections(self) -> int:
        """End reading on every connection (a request that has arrived is still answered); count them."""
        with self.guard:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    continue
            return len(self.connections)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/up":
            self.answer(200, "OK\n") if is_ready() else self.answer(503, "not ready\n")
        elif address.path == "/version":
            self.answer(200, version() + "\n")
        elif address.path == "/slow":
            time.sleep(min(float(parse_qs(address.query).get("s", ["1"])[0]), LONGEST_WAIT))
            self.answer(200, version() + "\n")
        elif address.path.startswith("/assets/"):
            self.answer_asset(address.path.removeprefix("/assets/"))
        else:
            self.answer(404, "not found\n")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def answer_asset(self, name: str) -> None:
        path = ASSETS / name
        if path.resolve().parent != ASSETS or not path.is_file():
            self.answer(404, "not found\n")
            return
        self.answer(200, path.read_text(), mimetypes.guess_type(name)[0] or "text/plain")

    def answer(self, status: int, body: str, content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body.encode())))
        if self.server.is_stopping:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log(method=self.command, path=self.path, status=int(code), version=version())

    def log_message(self, format: str, *args: object) -> None:
        log(message=format % args)


def serve(stop: threading.Event) -> None:
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "3000"))))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    log(message="listening", port=server.server_port, version=version())
    stop.wait()
    server.finish()


def work(stop: threading.Event) -> None:
    while not stop.wait(1):
        log(message="heartbeat", version=version())


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        is_stubborn = os.environ.get("APP_IGNORE_TERM") == "1"
        signal.signal(number, signal.SIG_IGN if is_stubborn else lambda *_: stop.set())
    if crash_after := os.environ.get("APP_CRASH_AFTER"):
        crash = threading.Timer(float(crash_after), os._exit, args=(1,))
        crash.daemon = True
        crash.start()
    (work if sys.argv[1:] == ["worker"] else serve)(stop)
    log(message="stopped", version=version())


if __name__ == "__main__":
    main()
