"""Ask web servers without a pause, and count every failure.

`python -m tests.lab.load --url http://10.213.0.11/version --seconds 60 --report load.json`
Every second connection is kept alive, the others serve one request each. It ends at TERM, INT or its limits.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from urllib.parse import SplitResult, urlsplit

from tests.lab.load_report import Failure, LoadReport
from tests.lab.names import LAB_NETWORKS

TIMEOUT = 10.0
DETAILED = 20


@dataclass(frozen=True)
class Limits:
    """When a load ends, and how hard it is."""

    seconds: float
    max_requests: int
    threads: int
    rate: float


@dataclass
class Tally:
    """What the threads have seen so far."""

    limits: Limits
    stop: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)
    began: float = field(default_factory=time.monotonic)
    started: int = 0
    failed_at: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def may_start(self) -> bool:
        """Count one more request, unless the load is over."""
        with self.guard:
            is_over = self.started >= self.limits.max_requests or self.elapsed() >= self.limits.seconds
            if is_over or self.stop.is_set():
                return False
            self.started += 1
            return True

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def succeed(self, body: str, seconds: float) -> None:
        with self.guard:
            self.versions[body.strip()] += 1
            self.latencies.append(seconds)

    def fail(self, url: str, kind: str, error: str) -> None:
        with self.guard:
            self.failed_at[url] += 1
            if len(self.failures) < DETAILED:
                self.failures.append(Failure(round(self.elapsed(), 3), url, kind, error))

    def report(self) -> LoadReport:
        with self.guard:
            latencies = self.latencies or [0.0]
            return LoadReport(
                seconds=round(self.elapsed(), 3),
                total=len(self.latencies) + self.failed_at.total(),
                failed=self.failed_at.total(),
                failures=tuple(self.failures),
                versions=dict(self.versions),
                slowest_ms=round(max(latencies) * 1000, 1),
                median_ms=round(median(latencies) * 1000, 1),
                failed_at=dict(self.failed_at),
            )


@dataclass
class Client:
    """One thread's connection to one server."""

    url: SplitResult
    tally: Tally
    keeps_alive: bool
    connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Ask until the load is over, evenly spread when it has a rate."""
        limits = self.tally.limits
        pause = limits.threads / limits.rate if limits.rate else 0.0
        due = time.monotonic()
        while self.tally.may_start():
            self.ask()
            due = max(due + pause, time.monotonic() - pause)
            self.tally.stop.wait(max(0.0, due - time.monotonic()))
        self.close()

    def ask(self) -> None:
        """Make one request and count how it ends."""
        began = time.monotonic()
        kind = "kept alive" if self.keeps_alive else "new"
        try:
            status, body = self.request()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.tally.fail(self.url.geturl(), kind, f"{type(error).__name__}: {error}")
            return
        if status == 200:
            self.tally.succeed(body, time.monotonic() - began)
        else:
            self.tally.fail(self.url.geturl(), kind, f"{status}: {body[:200]}")

    def request(self) -> tuple[int, str]:
        if self.connection is None:
            self.connection = self.connect()
        target = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        headers = {} if self.keeps_alive else {"Connection": "close"}
        self.connection.request("GET", target, headers=headers)
        response = self.connection.getresponse()
        body = response.read().decode(errors="replace")
        if not self.keeps_alive:
            self.close()
        return response.status, body

    def connect(self) -> http.client.HTTPConnection:
        if self.url.scheme == "http":
            return http.client.HTTPConnection(self.url.netloc, timeout=TIMEOUT)
        # The proxy's own certificate will do: the answers count, not who vouches for them.
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(self.url.netloc, timeout=TIMEOUT, context=context)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def lab_url(text: str) -> SplitResult:
    """Accept only loopback and the lab's own addresses: a load is for nobody else."""
    url = urlsplit(text)
    try:
        address = ip_address(url.hostname or "")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: the host must be an IP address") from error
    if url.scheme not in ("http", "https") or not (address.is_loopback or address in LAB_NETWORKS):
        raise argparse.ArgumentTypeError(f"{text}: only http(s) to loopback or {LAB_NETWORKS}")
    return url


def run_load(urls: list[SplitResult], tally: Tally) -> None:
    """Run the clients until the load is over; every URL gets both kinds of connection."""
    clients = [
        Client(urls[index // 2 % len(urls)], tally, keeps_alive=index % 2 == 0) for index in range(tally.limits.threads)
    ]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.load", description=__doc__)
    parser.add_argument("--url", type=lab_url, action="append", required=True, dest="urls")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--max-requests", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0, help="requests per second in all; 0: as fast as it goes")
    parser.add_argument("--report", type=Path, help="file for the JSON report; without it, stdout")
    options = parser.parse_args(arguments)
    tally = Tally(Limits(options.seconds, options.max_requests, options.threads, options.rate))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: tally.stop.set())
    run_load(options.urls, tally)
    report = tally.report()
    report.write(options.report) if options.report else print(report.as_json())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
