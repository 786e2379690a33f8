"""The registry on the deploying machine: found, started, made; and who else may be at its port."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from kamal_pyinfra.config.image import Registry
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local import registry as own_registry
from kamal_pyinfra.local.programs import Answer

API = {"Docker-Distribution-Api-Version": "registry/2.0"}


@dataclass
class Docker:
    """Stands in for the programs: the answers to its calls, and what a call starts."""

    answers: dict[str, Answer]
    starts: dict[str, Any] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    published: str = ""

    def ask(self, argv: list[str], *, seconds: int = 60) -> Answer:
        if argv[1] == "container":
            return Answer(bool(self.published), self.published, "")
        self.calls.append(argv)
        self.published = self.starts.get(argv[1], lambda: self.published)() or self.published
        return self.answers[argv[1]]

    def warn(self, text: str) -> None:
        self.warned.append(text)


YES, NO = Answer(True, "", ""), Answer(False, "", "Unable to find image\ndocker: no such image")


class Servers:
    """HTTP servers on one port, one after the other."""

    def __init__(self) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.running: list[http.server.HTTPServer] = []

    def start(self, status: int = 200, headers: dict[str, str] = API) -> str:
        """Returns what the container publishes then."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.running.append(server)
        return f"true 127.0.0.1:{self.port}"

    def stop(self) -> None:
        for server in self.running:
            server.shutdown()
            server.server_close()


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.stop()


@pytest.fixture
def registry(servers: Servers) -> Registry:
    return Registry(server=f"localhost:{servers.port}")


def started(registry: Registry, docker: Docker) -> bool:
    return own_registry.started(registry, docker)  # type: ignore[arg-type]


def test_one_that_answers_is_left_alone(servers: Servers, registry: Registry) -> None:
    docker = Docker({}, published=servers.start())
    assert started(registry, docker)
    assert docker.calls == []


def test_one_that_was_stopped_is_started(servers: Servers, registry: Registry) -> None:
    docker = Docker({"start": YES}, {"start": servers.start})
    assert started(registry, docker)
    assert docker.calls == [["docker", "start", f"kp-registry-{servers.port}"]]


def test_one_that_never_was_is_made_on_the_loopback_alone(servers: Servers, registry: Registry) -> None:
    docker = Docker({"start": NO, "run": YES}, {"run": servers.start})
    assert started(registry, docker)
    assert docker.calls[1] == [
        *("docker", "run", "--detach", "--restart", "unless-stopped", "--name", f"kp-registry-{servers.port}"),
        *("--label", "kp.registry", "--publish", f"127.0.0.1:{servers.port}:5000"),
        *("--volume", f"kp-registry-{servers.port}:/var/lib/registry"),
        *("--env", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/var/lib/registry", registry.image),
    ]


def test_without_its_image_there_is_none_and_the_user_hears_why(registry: Registry) -> None:
    docker = Docker({"start": NO, "run": NO})
    assert not started(registry, docker)
    assert docker.warned == [f"The built-in registry ({registry.image}) cannot start: docker: no such image"]


@pytest.mark.parametrize(("status", "headers"), [(200, API), (200, {}), (404, API), (500, {})])
def test_another_program_at_its_port_is_named_with_the_way_out(
    servers: Servers, registry: Registry, status: int, headers: dict[str, str]
) -> None:
    """Also one that speaks as a registry does: another user of this machine may have put it there."""
    servers.start(status, headers)
    with pytest.raises(BuildFailed) as failed:
        started(registry, Docker({}))
    assert str(failed.value) == (
        f"localhost:{servers.port} is not the built-in registry: another program answers there, and not the container "
        f"kp-registry-{servers.port}. Set another port with `registry: {{server: localhost:PORT}}`"
    )


@pytest.mark.parametrize("published", ["", "true 0.0.0.0:5555", "true 127.0.0.1:5556"])
def test_a_container_of_its_name_that_is_elsewhere_is_named_with_the_way_out(
    registry: Registry, published: str
) -> None:
    with pytest.raises(BuildFailed) as failed:
        started(registry, Docker({"start": YES}, {"start": lambda: published}))
    name = f"kp-registry-{registry.built_in_port}"
    assert str(failed.value) == (
        f"The container {name} does not run at 127.0.0.1:{registry.built_in_port}: "
        f"remove it with `docker rm -f {name}` (its volume stays), and run the same command again"
    )


def test_one_that_never_answers_is_given_up(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_registry, "START_SECONDS", 0.3)
    with pytest.raises(BuildFailed) as failed:
        started(registry, Docker({"start": YES}, {"start": lambda: f"true 127.0.0.1:{registry.built_in_port}"}))
    port = registry.built_in_port
    assert str(failed.value) == f"The container kp-registry-{port} runs, but localhost:{port} does not answer"


def test_it_goes_and_its_volume_stays(registry: Registry) -> None:
    docker = Docker({"rm": YES})
    assert own_registry.removed(registry, docker)  # type: ignore[arg-type]
    assert docker.calls == [["docker", "rm", "--force", f"kp-registry-{registry.built_in_port}"]]
