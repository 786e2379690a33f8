from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.lab import Load
from tests.lab.load import Limits, Tally, lab_url, run_load


class Flaky(BaseHTTPRequestHandler):
    """Answers /version; /sick with 503; /gone closes the connection instead of answering."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.close_connection = True
            return
        body = b"v1\n"
        self.send_response(503 if self.path == "/sick" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Flaky) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def load(*urls: str, requests: int = 40) -> Tally:
    tally = Tally(Limits(seconds=10, max_requests=requests, threads=4, rate=0))
    run_load([lab_url(url) for url in urls], tally)
    return tally


def test_every_answer_is_counted_by_its_body(address: str) -> None:
    report = load(f"{address}/version").report()
    assert (report.total, report.failed, report.versions) == (40, 0, {"v1": 40})


def test_an_error_status_is_a_failure(address: str) -> None:
    report = load(f"{address}/sick").report()
    assert (report.total, report.failed, len(report.failures)) == (40, 40, 20)
    assert report.failures[0].error.startswith("503")
    assert {failure.kind for failure in report.failures} == {"kept alive", "new"}


def test_a_connection_closed_without_an_answer_is_a_failure(address: str) -> None:
    report = load(f"{address}/version", f"{address}/gone").report()
    assert report.failed == report.total - report.versions["v1"] > 0
    assert "RemoteDisconnected" in report.failures[0].error


def test_a_load_runs_beside_a_block_and_reports_at_its_end(address: str) -> None:
    with Load((f"{address}/version",), seconds=20, max_requests=10, threads=2) as running:
        assert running._process is not None
        running._process.wait(timeout=20)
    assert (running.report.total, running.report.failed) == (10, 0)


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "ftp://127.0.0.1/", "http://localhost/"])
def test_a_load_is_only_for_loopback_and_the_labs_addresses(url: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        lab_url(url)
