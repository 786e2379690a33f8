"""What the contract of kamal-proxy is tried with: the proxy on a host, targets behind it, and requests through it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import kamal_proxy_image
from tests.lab.lab import Lab
from tests.lab.process import wait_for

ECHO = Path(__file__).with_name("echo") / "echo.py"
HOST = "web1"
STATE = "/var/lib/docker/volumes/kamal-proxy-config/_data/kamal-proxy.state"
PAGES = "/home/kamal-proxy/.apps-config"
HOST_PAGES = "/root/.kamal/proxy/apps-config"
TARGETS = ("one", "two", "three")
QUICK = ("--health-check-interval=100ms", "--deploy-timeout=10s", "--drain-timeout=5s")


@dataclass(frozen=True)
class Got:
    """An answer, and how long it took."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def echo(self) -> dict[str, Any]:
        """What a target told back of the request."""
        told: dict[str, Any] = json.loads(self.text)
        told["headers"] = {name.lower(): value for name, value in told["headers"]}
        return told


@dataclass(frozen=True)
class Ran:
    """What a command of kamal-proxy did."""

    code: int
    out: str
    error: str
    seconds: float


class Bench:
    """A host with kamal-proxy and targets that are named after their answers."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.address = lab.hosts[HOST]

    def set_up(self) -> None:
        """Start the proxy and the targets on an empty host."""
        self.lab.reset(HOST, images=False)
        kamal_proxy_image.start(self.lab, HOST)
        kamal_proxy_image.give(self.lab, HOST, self.lab.base_image, "echo-base")
        self.shell("mkdir -p /root/state && cat >/root/echo.py", input=ECHO.read_text())
        for name in TARGETS:
            self.start_target(name)

    def start_target(self, name: str) -> None:
        flags = f"--name {name} --network kamal --env NAME={name} --volume /root/state:/state:ro"
        self.shell(
            f"docker run --detach {flags} --volume /root/echo.py:/echo.py:ro echo-base python3 -S /echo.py >/dev/null"
        )

    def shell(self, line: str, *, check: bool = True, input: str | None = None) -> str:
        """Run a shell line on the host; not over SSH, which would take most of the contract's time."""
        return self.lab.exec(HOST, line, check=check, input=input).stdout

    # Commands

    def run(self, *words: str) -> Ran:
        began = time.monotonic()
        result = kamal_proxy_image.command(self.lab, HOST, *words)
        return Ran(result.returncode, result.stdout, result.stderr, time.monotonic() - began)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that takes a while."""
        inner = ["docker", "exec", "kamal-proxy", "kamal-proxy", *words]
        argv = ["docker", "exec", self.lab.container(HOST), *inner]
        env = os.environ | self.lab.docker.env
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def errors(self, commands: Sequence[str]) -> list[str]:
        """Run commands that fail; return what each prints on stderr, without the two words that all begin with."""
        lines = "\n".join(
            f'docker exec kamal-proxy kamal-proxy {command} 2>&1 >/dev/null; echo "=$?"' for command in commands
        )
        parts = self.shell(lines).split("=1\n")
        return [part.removeprefix("Error: ").removesuffix("\n") for part in parts[:-1]]

    def deploy(self, service: str, *words: str, target: str = "one", host: str = "") -> None:
        """Deploy, which must succeed and be silent."""
        names = [f"--target={target}:3000", f"--host={host or service + '.test'}"]
        ran = self.run("deploy", service, *names, *QUICK, *words)
        assert (ran.code, ran.out, ran.error) == (0, "", "")

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the services of the state file by their names."""
        services: list[dict[str, Any]] = json.loads(self.shell(f"cat {STATE}"))
        return {service["name"]: service for service in services}

    def row(self, service: str) -> list[str]:
        """Return a service's line of `list`, without its colours."""
        return next((row for row in self.rows() if row[0] == service), [])

    def rows(self) -> list[list[str]]:
        plain = "".join(
            part.partition("m")[2] if number else part for number, part in enumerate(self.list().split("\033["))
        )
        return [line.split() for line in plain.splitlines()]

    def list(self) -> str:
        return self.run("list").out

    def restart(self) -> None:
        """Start the proxy anew, as a host that boots does."""
        self.shell("docker restart --time 10 kamal-proxy")
        kamal_proxy_image.wait_until_ready(self.lab, HOST)

    @contextmanager
    def sick(self, name: str) -> Iterator[None]:
        """Let a target say that it is not well."""
        self.shell(f"touch /root/state/{name}")
        try:
            yield
        finally:
            self.shell(f"rm -f /root/state/{name}")

    # Requests

    def connection(self, name: str = "") -> http.client.HTTPConnection:
        """Open a connection to the proxy; with a name, over TLS for that name, and trusting anybody."""
        connection = http.client.HTTPConnection(self.address, 443 if name else 80, timeout=30)
        connection.connect()
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
        return connection

    def get(
        self, host: str, path: str = "/name", method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Got:
        """Ask once, on a connection of its own."""
        with closing(self.connection()) as connection:
            return ask(connection, host, path, method, body, headers)

    def get_tls(self, host: str, path: str = "/name", **headers: str) -> Got:
        """Ask once, over TLS."""
        with closing(self.connection(host)) as connection:
            return ask(connection, host, path, headers=headers)

    def served_by(self, host: str) -> str:
        got = self.get(host)
        return got.text if got.status == 200 else str(got.status)


def ask(
    connection: http.client.HTTPConnection,
    host: str,
    path: str = "/name",
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Got:
    """Ask on an open connection."""
    began = time.monotonic()
    named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    connection.request(method, path, body=body, headers={"Host": host, **named})
    answer = connection.getresponse()
    text = answer.read().decode()
    return Got(answer.status, text, dict(answer.getheaders()), time.monotonic() - began)


def eventually(what: str, condition: Callable[[], bool], seconds: float = 10) -> None:
    wait_for(what, condition, seconds=seconds, pause=0.05)
