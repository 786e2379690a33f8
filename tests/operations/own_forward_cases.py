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

from kamal_pyinfra.operations import own_forward  # noqa: E402
from tests.operations.ssh_server import Host, Lender, connected  # noqa: E402

BLOB = os.urandom(3_000_000)
IMAGE = "localhost:5555/shop:v2"


class Registry(http.server.BaseHTTPRequestHandler):
    """Says that it is a registry, and has one blob."""

    def do_GET(self) -> None:
        body = BLOB if self.path == "/blob" else b"{}"
        self.send_response(200)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that has one image, starts nothing, and writes down what it was asked."""
    program = tmp_path / "docker"
    program.write_text(
        '#!/bin/sh\necho "$*" >> "$0.calls"\n[ "$1" = save ] && exec printf "all layers"\n'
        'echo "no such image" >&2; exit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(own_forward, "stream", stream)
    return tmp_path / "docker.calls"


def stream(host: Host, command: str) -> Any:
    assert host.connector.client is not None
    channel = host.connector.client.get_transport().open_session()  # type: ignore[union-attr]
    channel.exec_command(command)
    return channel


class Fleet:
    """Where pyinfra would keep its state."""


FLEET = Fleet()


def a_run(port: int) -> Any:
    sections = {
        "registry": SimpleNamespace(own_port=port, image="registry:2"),
        "sshkit": SimpleNamespace(max_concurrent_starts=1),
    }
    return SimpleNamespace(config=SimpleNamespace(pull_timeout=60, **sections))


def lent(host: Host, port: int) -> bool:
    return own_forward.lend(FLEET, host, a_run(port), IMAGE)  # type: ignore[arg-type]


def pull(server: Any, port: int) -> bytes:
    """What a host gets that asks its own loopback for the blob."""
    channel = server.open_forwarded_tcpip_channel(("127.0.0.1", 40000), ("127.0.0.1", port))
    channel.sendall(b"GET /blob HTTP/1.0\r\n\r\n")
    channel.settimeout(10)
    parts = []
    while part := channel.recv(1 << 16):
        parts.append(part)
    return b"".join(parts).partition(b"\r\n\r\n")[2]


def check_that_several_pulls_at_once_get_every_byte(port: int) -> None:
    lender = Lender()
    host, server = connected(lender)
    assert lent(host, port)
    assert lender.asked == [("127.0.0.1", port)]
    pulls = [gevent.spawn(pull, server, port) for _ in range(4)]
    gevent.joinall(pulls, timeout=30)
    assert [each.value == BLOB for each in pulls] == [True] * 4
    assert (host.logged, own_forward.was_sent(host)) == ([], False)  # type: ignore[arg-type]


def check_that_it_is_taken_back(port: int) -> None:
    lender = Lender()
    host, _ = connected(lender)
    assert lent(host, port)
    assert own_forward.take_back(None, host, a_run(port))  # type: ignore[arg-type]
    assert lender.over.wait(10)
    assert lender.cancelled == [("127.0.0.1", port)]


def check_that_a_registry_that_is_gone_ends_the_pull(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    assert pull(server, port) == BLOB
    nobody = a_run(1).config.registry.own_port
    own_forward._transport(host).request_port_forward("127.0.0.1", nobody, own_forward._joiner(nobody))
    assert pull(server, nobody) == b""


def check_that_a_host_that_hangs_up_leaves_nothing_behind(port: int) -> None:
    host, server = connected(Lender())
    assert lent(host, port)
    channel = server.open_forwarded_tcpip_channel(("127.0.0.1", 40000), ("127.0.0.1", port))
    channel.sendall(b"GET /blob HTTP/1.0\r\n\r\n")
    channel.recv(10)
    before = threading.active_count()
    server.close()
    deadline = gevent.get_hub().loop.now() + 10
    while any(isinstance(each, gevent.Greenlet) and not each.dead for each in greenlets()):
        assert gevent.get_hub().loop.now() < deadline, "a pump goes on"
        gevent.sleep(0.05)
    assert threading.active_count() <= before


def greenlets() -> list[Any]:
    """Those that pump."""
    import gc

    return [each for each in gc.get_objects() if isinstance(each, gevent.Greenlet) and each._run is own_forward._pump]


def check_that_where_sshd_lends_nothing_the_image_is_sent(port: int, docker: Path) -> None:
    lender = Lender(lends=False)
    host, _ = connected(lender)
    assert lent(host, port)
    assert lender.typed == b"all layers"
    assert "docker load" in lender.commands[0]
    assert host.logged == [f"sshd does not lend 127.0.0.1:{port}"]
    assert own_forward.was_sent(host)  # type: ignore[arg-type]
    assert own_forward.take_back(None, host, a_run(port))  # type: ignore[arg-type]
    assert lender.cancelled == []


def check_that_without_a_registry_the_image_is_sent(docker: Path) -> None:
    lender = Lender()
    host, _ = connected(lender)
    assert lent(host, 1)
    assert (lender.asked, lender.typed) == ([], b"all layers")
    assert host.logged == ["No registry of our own (registry:2): no such image"]
    assert [line.split()[0] for line in docker.read_text().splitlines()] == ["start", "run", "save"]


def check_that_a_load_that_fails_is_said(port: int, docker: Path) -> None:
    host, _ = connected(Lender(lends=False, code=1))
    assert not lent(host, port)
    assert host.logged[-1] == f"{IMAGE} could not be sent: docker load exited 1"
    assert not own_forward.was_sent(host)  # type: ignore[arg-type]


def check_that_this_machine_needs_no_forward(port: int) -> None:
    assert lent(Host(None), port)
