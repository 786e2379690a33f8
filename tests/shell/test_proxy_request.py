"""A request by each tool that a host may have, against a real server: with and without TLS, IPv6, slow and silent."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kamal_pyinfra.shell.script import functions

ANSWER = "0123456789abcdef0123456789abcdef"
ASK = 'ask_gate {address} {port} {scheme} shop.example.com {path} {answer} 2; echo "$outcome"\n'
BASICS = ("sh", "timeout", "head", "tr", "cat", "printf")
TOOLS = {
    "http": ("curl", "python3", "bash", "perl", "wget"),
    "https": ("curl", "python3", "openssl", "wget"),
}


class Proxy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name, _, port = self.headers["Host"].partition(":")
        assert (name, port) in (("shop.example.com", ""), ("shop.example.com", str(self.server.server_address[1])))
        status, length, marked = {
            "/routed": (200, 3, True),
            "/refusing": (401, 3, True),
            "/unreachable": (502, 11, True),
            "/maintenance": (503, 5000, True),
            "/elsewhere": (404, 19, False),
        }[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if marked:
            self.send_header("X-Kp-Gate", ANSWER)
        self.end_headers()
        # What an app echoes in its body is no header of the proxy.
        self.wfile.write(f"X-Kp-Gate: {ANSWER}\n".encode()[:length].ljust(length, b"."))

    def log_message(self, *_: object) -> None: ...


class OnIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def http() -> Iterator[int]:
    yield from serving(ThreadingHTTPServer(("127.0.0.1", 0), Proxy))


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout key.pem -out cert.pem"
    subprocess.run(make.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield from serving(server)


@pytest.fixture
def ask(tmp_path: Path):
    """Ask on a host that has one tool alone."""

    def asked(tool: str, **values: object) -> str:
        for name in (*BASICS, tool):
            if found := sys._base_executable if name == "python3" else shutil.which(name):
                (tmp_path / name).symlink_to(found)
        if tool == "busybox":
            (tmp_path / "wget").symlink_to(shutil.which("busybox"))
        script = functions("ask_gate") + ASK.format(**({"address": "127.0.0.1", "answer": ANSWER} | values))
        environ = {"PATH": str(tmp_path), "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        ended = subprocess.run(
            ["/bin/sh", "-c", script], env=environ, capture_output=True, text=True, timeout=20, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.strip()

    return asked


SAID = {"/routed": "yes", "/refusing": "yes", "/unreachable": "gone", "/maintenance": "yes", "/elsewhere": "404"}


@pytest.mark.parametrize("path", SAID)
@pytest.mark.parametrize("tool", TOOLS["http"])
def test_what_each_tool_is_answered(ask, http: int, tool: str, path: str) -> None:
    assert ask(tool, port=http, scheme="http", path=path) == SAID[path]


@pytest.mark.parametrize("path", ["/routed", "/elsewhere"])
@pytest.mark.parametrize("tool", TOOLS["https"])
def test_what_each_tool_is_answered_over_tls_whatever_the_certificate(ask, https: int, tool: str, path: str) -> None:
    assert ask(tool, port=https, scheme="https", path=path) == SAID[path]


@pytest.mark.parametrize("tool", ["curl", "python3", "bash", "perl"])
def test_an_ipv6_address(ask, tool: str) -> None:
    for port in serving(OnIPv6(("::1", 0), Proxy)):
        assert ask(tool, address="'[::1]'", port=port, scheme="http", path="/routed") == "yes"


@pytest.mark.parametrize("tool", TOOLS["http"])
def test_nothing_listens(ask, tool: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ask(tool, port=port, scheme="http", path="/routed") == ""


@pytest.mark.parametrize("tool", ["curl", "python3", "bash"])
def test_one_that_accepts_and_does_not_answer_is_slow(ask, tool: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert ask(tool, port=silent.getsockname()[1], scheme="http", path="/routed") == "slow"


def test_a_host_without_any_tool_cannot_ask(ask, http: int) -> None:
    assert ask("true", port=http, scheme="http", path="/routed") == ""


@pytest.mark.parametrize("path", SAID)
def test_busybox_shows_no_headers_of_an_error(ask, http: int, path: str) -> None:
    assert ask("busybox", port=http, scheme="http", path=path) == ("yes" if path == "/routed" else "unclear")


def test_another_secret_is_no_answer(ask, http: int) -> None:
    assert ask("curl", port=http, scheme="http", path="/routed", answer="f" * 32) == "200"
