"""The own registry lent through a real SSH connection; run by test_own_forward.py, in a process of their own."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import http.server  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from types import SimpleNamespace  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import pytest  # noqa: E402

from kamal_pyinfra.local import registry_tunnel as own_forward  # noqa: E402
from tests.operations.ssh_server import Host, Lender, connected  # noqa: E402

BLOB = os.urandom(3_000_000)
IMAGE = "localhost:5555/acme/shop:v2"
DIGEST = f"sha256:{'1f' * 32}"
MANIFEST = "/v2/acme/shop/manifests/v2"
ASKED: list[str] = []


class Registry(http.server.BaseHTTPRequestHandler):
    """Says that it is a registry, and has one image of one blob."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        ASKED.append(f"{self.command} {self.path} {sorted(self.headers.keys())}")
        body = BLOB if self.path == "/v2/acme/shop/blobs/a" else b"{}"
        self.send_response(200 if self.path in ("/v2/", "/v2/acme/shop/blobs/a", MANIFEST) else 404)
        self.send_header("Docker-Content-Digest", DIGEST)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port(docker: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("PUBLISHED", str(server.server_port))
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that has one image, starts nothing, and writes down what it was asked."""
    program = tmp_path / "docker"
    program.write_text(
        '#!/bin/sh\necho "$*" >> "$0.calls"\n[ "$1" != save ] || exec sh -c "${SAVE:-printf %s all-layers}"\n'
        '[ "$1" != container ] || [ -z "$PUBLISHED" ] || exec echo "true 127.0.0.1:$PUBLISHED"\n'
        'echo "no such image" >&2; exit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(own_forward, "stream", stream)
    TUNNELS.clear()
    ASKED.clear()
    return tmp_path / "docker.calls"


def stream(host: Host, command: str) -> Any:
    assert host.connector.client is not None
    channel = host.connector.client.get_transport().open_session()  # type: ignore[union-attr]
    channel.exec_command(command)
    return channel


TUNNELS: dict[Host, own_forward.Tunnel] = {}


def lend(host: Host, run: Any, image: str) -> str | None:
    """What the host is to do, through a tunnel of its own."""
    TUNNELS[host] = own_forward.Tunnel(host, run)  # type: ignore[arg-type]
    return TUNNELS[host].establish(image, "shop")


def a_run(port: int, seconds: int = 60) -> Any:
    sections = {
        "registry": SimpleNamespace(built_in_port=port, image="registry:2"),
        "sshkit": SimpleNamespace(max_concurrent_starts=1),
        "image": "acme/shop",
    }
    return SimpleNamespace(config=SimpleNamespace(pull_timeout=seconds, **sections))


def lent(host: Host, port: int, seconds: int = 60) -> str | None:
    """What the host is to do."""
    return lend(host, a_run(port, seconds), IMAGE)


def taken_back(host: Host, port: int) -> None:
    TUNNELS[host].close()


def asked(server: Any, port: int, request: bytes) -> bytes:
    """All that a host gets that sends this to its own loopback, until the connection ends."""
    channel = server.open_forwarded_tcpip_channel(("127.0.0.1", 40000), ("127.0.0.1", port))
    channel.sendall(request)
    channel.settimeout(10)
    parts = []
    while part := channel.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost:5555\r\n{more}\r\n".encode()


BLOB_PATH = "/v2/acme/shop/blobs/a"
LAST = "Connection: close\r\n"


def pull(server: Any, port: int) -> bytes:
    return asked(server, port, get(BLOB_PATH, LAST)).partition(b"\r\n\r\n")[2]


def check_that_several_pulls_at_once_get_every_byte(port: int) -> None:
    lender = Lender()
    host, server = connected(lender)
    script = lent(host, port)
    assert script is not None
    assert f"docker pull localhost:5555/acme/shop@{DIGEST} && docker tag" in script
    assert lender.asked == [("127.0.0.1", port)]
    pulls = [gevent.spawn(pull, server, port) for _ in range(4)]
    gevent.joinall(pulls, timeout=30)
    assert [each.value == BLOB for each in pulls] == [True] * 4
    assert host.logged == []


def check_that_a_connection_is_kept_for_requests_that_follow_each_other(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    said = asked(server, port, get("/v2/") + get(MANIFEST) + get(BLOB_PATH, LAST))
    assert said.count(b"HTTP/1.1 200") == 3
    assert said.endswith(BLOB)


FORBIDDEN = {
    "a push": f"PUT {MANIFEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}",
    "an upload": "POST /v2/acme/shop/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a removal": f"DELETE {MANIFEST} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": f"put {MANIFEST} HTTP/1.1\r\nHost: x\r\n\r\n",
    "another image": "GET /v2/other/app/manifests/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "another image by dots": "GET /v2/acme/shop/manifests/../../../other/app/manifests/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "the list of images": "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n",
    "an escaped path": "GET /v2/acme%2fshop/manifests/v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body": f"GET {MANIFEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nPUT {MANIFEST} HTTP/1.1\r\n\r\n",
    "a body in pieces": f"GET {MANIFEST} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": f"GET {MANIFEST} HTTP/1.1\r\nX: a\nPUT {MANIFEST} HTTP/1.1\r\n\r\n",
    "a folded field": f"GET {MANIFEST} HTTP/1.1\r\nX: a\r\n Content-Length: 3\r\n\r\n",
    "another protocol": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless head": f"GET {MANIFEST} HTTP/1.1\r\nX: {'a' * 70_000}",
}


@pytest.mark.parametrize("request_", FORBIDDEN.values(), ids=FORBIDDEN)
def check_that_a_host_can_only_read_the_image(port: int, request_: str) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    ASKED.clear()
    assert asked(server, port, request_.encode()).startswith(b"HTTP/1.1 405 ")
    assert ASKED == []


@pytest.mark.parametrize("request_", FORBIDDEN.values(), ids=FORBIDDEN)
def check_that_nothing_else_comes_in_behind_a_request_that_may(port: int, request_: str) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    ASKED.clear()
    asked(server, port, get("/v2/") + request_.encode())
    assert [each.split()[:2] for each in ASKED] in ([["GET", "/v2/"]], [])


def check_that_a_request_is_made_anew_of_what_was_understood(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    ASKED.clear()
    asked(server, port, get(f"{BLOB_PATH}?ns=x", f"Accept: a\r\nRange: bytes=0-\r\nCookie: x\r\nX-Any: y\r\n{LAST}"))
    assert [f"GET {BLOB_PATH} ['Accept', 'Connection', 'Host', 'Range']"] == ASKED


def check_that_it_is_taken_back_with_all_that_still_reads(port: int) -> None:
    lender = Lender()
    host, server = connected(lender)
    assert lent(host, port)
    channel = server.open_forwarded_tcpip_channel(("127.0.0.1", 40000), ("127.0.0.1", port))
    channel.sendall(get("/v2/"))
    assert channel.recv(10)
    taken_back(host, port)
    assert lender.over.wait(10)
    assert lender.cancelled == [("127.0.0.1", port)]
    channel.settimeout(10)
    while channel.recv(1 << 16):
        pass
    taken_back(host, port)
    assert len(lender.cancelled) == 1


def check_that_a_registry_that_is_gone_ends_the_pull(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    assert pull(server, port) == BLOB
    tunnel = own_forward.Tunnel(host, a_run(1))  # type: ignore[arg-type]
    assert tunnel._is_forwarded(own_forward.transport_of(host))  # type: ignore[arg-type]
    assert asked(server, 1, get("/v2/")) == b""


def check_that_a_host_that_hangs_up_leaves_nothing_behind(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    channel = server.open_forwarded_tcpip_channel(("127.0.0.1", 40000), ("127.0.0.1", port))
    channel.sendall(get(BLOB_PATH))
    channel.recv(10)
    server.close()
    connections = TUNNELS[host].connections
    assert connections is not None
    assert connections.join(timeout=15)


def check_that_somebody_elses_listener_is_no_registry_of_ours(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLISHED", "")
    host, _ = connected(Lender())
    assert lent(host, port) is None
    assert host.logged[-1].startswith(f"localhost:{port} is not the built-in registry")


def check_that_a_version_that_was_never_pushed_is_named_with_the_way_out(port: int) -> None:
    host, _ = connected(Lender())
    image = IMAGE.replace("v2", "v9")
    assert lend(host, a_run(port), image) is None
    assert host.logged == [
        f"localhost:{port}/acme/shop:v9 is not in the registry on this machine: `kp build push` builds it anew"
    ]


def check_that_where_sshd_lends_nothing_the_image_is_sent(port: int) -> None:
    lender = Lender(lends=False)
    host, _ = connected(lender)
    script = lent(host, port)
    assert script is not None
    assert "was sent as a whole" in script
    assert lender.typed == b"all-layers"
    assert "docker load" in lender.commands[0]
    assert host.logged == [f"sshd does not forward 127.0.0.1:{port}"]
    taken_back(host, port)
    assert lender.cancelled == []


def check_that_without_a_registry_the_image_is_sent(docker: Path) -> None:
    lender = Lender()
    host, _ = connected(lender)
    assert lent(host, 1)
    assert (lender.asked, lender.typed) == ([], b"all-layers")
    assert host.logged == ["The built-in registry (registry:2) cannot start: no such image"]
    assert [line.split()[0] for line in docker.read_text().splitlines()] == ["container", "start", "run", "save"]


def check_that_a_load_that_fails_is_said(port: int) -> None:
    host, _ = connected(Lender(lends=False, code=1))
    assert lent(host, port) is None
    assert host.logged[-1] == f"{IMAGE} could not be sent: docker load exited 1"


ENDLESS = "yes layers of an image"


def check_that_a_host_that_stops_reading_ends_the_sending(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a full disk: `docker load` is over at once, and `docker save` would write for ever."""
    monkeypatch.setenv("SAVE", f"echo begun >&2; {ENDLESS}")
    host, _ = connected(Lender(lends=False, code=1, reads=1000))
    with gevent.Timeout(20):
        assert lent(host, port) is None
    assert host.logged[-1] == f"{IMAGE} could not be sent: docker load exited 1"


def check_that_a_connection_that_is_cut_ends_the_sending(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAVE", ENDLESS)
    host, server = connected(Lender(lends=False))
    gevent.spawn_later(0.5, server.close)
    with gevent.Timeout(20):
        assert lent(host, port) is None
    assert f"{IMAGE} could not be sent: " in host.logged[-1]


def check_that_a_save_that_says_much_on_standard_error_is_heard(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pipes are read beside each other: a full one would hold up the other."""
    monkeypatch.setenv("SAVE", "yes warning | head -c 400000 >&2; printf all-layers; echo 'no space' >&2; exit 3")
    host, _ = connected(Lender(lends=False))
    with gevent.Timeout(20):
        assert lent(host, port) is None
    assert host.logged[-1] == f"{IMAGE} could not be sent: no space"


def check_that_a_save_that_hangs_is_ended(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAVE", "exec sleep 60")
    monkeypatch.setattr(own_forward, "PATIENCE_SECONDS", -5)
    host, _ = connected(Lender(lends=False))
    with gevent.Timeout(20):
        assert lent(host, port, 1) is None
    assert host.logged[-1] == f"{IMAGE} could not be sent: it took longer than 1 s (pull_timeout)"


def check_that_this_machine_needs_no_forward(port: int) -> None:
    script = lent(Host(None), port)
    assert script is not None
    assert f"@{DIGEST}" in script
