from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

APP = Path(__file__).with_name("app") / "app.py"


@dataclass
class App:
    """A running app and the port it listens on."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, path: str) -> tuple[int, str]:
        connection = self.connect()
        try:
            return ask(connection, path)
        finally:
            connection.close()

    def terminate(self) -> tuple[int, float]:
        """Send TERM and return the exit code and how long it took to come."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=10)
        return self.process.returncode, time.monotonic() - began


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


@contextmanager
def app(*arguments: str, **env: str) -> Iterator[App]:
    """Run the app on a free port; its first line of output says which."""
    process = subprocess.Popen(
        [sys.executable, str(APP), *arguments],
        env=os.environ | {"PORT": "0", "KAMAL_VERSION": "v7"} | env,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield App(process, json.loads(process.stdout.readline()).get("port", 0))
        finally:
            process.kill()


def test_it_answers_health_and_version_and_nothing_of_its_environment() -> None:
    with app() as running:
        assert running.get("/up") == (200, "OK\n")
        assert running.get("/version") == (200, "v7\n")
        assert running.get("/env")[0] == 404
        assert running.get("/assets/../app.py")[0] == 404


def test_it_is_unhealthy_when_told_so() -> None:
    with app(APP_NEVER_HEALTHY="1") as running:
        assert running.get("/up")[0] == 503
    with app(APP_SICK_AFTER="0") as running:
        assert running.get("/up")[0] == 503
    with app(APP_SICK_AFTER="60") as running:
        assert running.get("/up")[0] == 200
    with app(APP_START_DELAY="60") as running:
        assert running.get("/up")[0] == 503
    with app(APP_UNHEALTHY_ON="web2", APP_HOST_TAG="web2") as running:
        assert running.get("/up")[0] == 503
    with app(APP_UNHEALTHY_ON="web2", APP_HOST_TAG="web1") as running:
        assert running.get("/up")[0] == 200


def test_term_lets_a_request_in_flight_end() -> None:
    with app() as running:
        connection = running.connect()
        connection.request("GET", "/slow?s=1")
        running.get("/up")  # answered after the slow request was accepted
        code, seconds = running.terminate()
        response = connection.getresponse()
        assert (code, response.status, response.read()) == (0, 200, b"v7\n")
        connection.close()
    assert seconds < 5


def test_term_closes_idle_connections_at_once() -> None:
    with app() as running:
        connection = running.connect()
        assert ask(connection, "/version") == (200, "v7\n")
        code, seconds = running.terminate()
        connection.close()
    assert code == 0
    assert seconds < 1


def test_a_crash_has_an_exit_code_of_its_own() -> None:
    with app(APP_CRASH_AFTER="0.1") as running:
        assert running.process.wait(timeout=10) == 1


def test_the_worker_beats_until_term() -> None:
    with app("worker") as running:
        assert running.process.poll() is None
        code, seconds = running.terminate()
    assert code == 0
    assert seconds < 1
