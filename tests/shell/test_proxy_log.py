"""The proxy's log read from the file that Docker keeps of it, which grows while a script looks at it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kamal_pyinfra.plan.changes import StopContainer
from kamal_pyinfra.shell.drain import drain
from kamal_pyinfra.shell.script import functions
from tests.shell.fake_host import SLEEP, FakeHost
from tests.shell.test_proxy_routes import NOTED, SERVE
from tests.shell.traefik_log import DEBUG, INFO, NEW, OLD, seen, v2, v2_built, v3, v3_built

DROP = "note_servers shop-web-v1 && drops"
HEALTH = "inspect --format SERVING shop-web-v1"
OLD_ONE = StopContainer(
    name="shop-web-v1", role="web", cord="cord", stop_timeout=None, drain_timeout=30, cause="v2 takes over"
)
OBJECT_SIZE = 16 * 1024
"""Docker splits a line that is longer."""


class LoggingHost(FakeHost):
    """A host whose user may read the proxy's log.

    Args:
        folder: where it lies.
        health: of the old container.
    """

    def __init__(self, folder: Path, health: str = "healthy", proxy: str = DEBUG) -> None:
        super().__init__(folder)
        self.log = folder / "the state/proxy-json.log"
        self.log.parent.mkdir()
        self.log.touch()
        proxy = proxy.replace("none", f"none {self.log}")
        self.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 {health} {OLD}", proxy=proxy))

    def after(self, sleeps: int, *objects: str, anew: bool = False) -> None:
        """Let the log grow when the script has slept so often; or be begun anew with this."""
        (self.state / f"grown-{sleeps}").write_text("".join(objects))
        (self.state / f"anew-{sleeps}").write_text("x" if anew else "")
        grow = (
            "\nnext=$(( steps + 1 ))\n[ ! -s {state}/anew-$next ] || : > {log}\n"
            "[ ! -e {state}/grown-$next ] || cat {state}/grown-$next >> {log}\n"
        )
        self._program("sleep", SLEEP + grow, log=f"'{self.log}'")

    def inspected(self, calls: str) -> list[str]:
        """What Docker was asked beyond the note that begins it."""
        return calls.splitlines()[1:]


def logged(text: str, size: int = OBJECT_SIZE) -> str:
    """Lines as the driver ``json-file`` writes them."""
    rows = []
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), size):
            row = {"log": line[start : start + size], "stream": "stderr", "time": "2026-05-01T10:00:00.123456789Z"}
            text = json.dumps(row, separators=(",", ":"))
            rows.append(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
    return "".join(f"{row}\n" for row in rows)


@pytest.fixture
def host(tmp_path: Path) -> LoggingHost:
    return LoggingHost(tmp_path / "host")


def test_a_server_is_dropped_when_newer_routers_are_built_without_it(host, traefik):
    """What was logged before does not count; Docker is not asked again."""
    received, built = traefik
    host.log.write_text(logged(received(NEW) + built(NEW) + received(OLD, NEW) + built(OLD, NEW)))
    host.after(3, logged(received(NEW)))
    host.after(5, logged(built(NEW)))
    ran = host.run(DROP)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert host.inspected(ran.calls) == []
    assert ran.seconds == pytest.approx(6 * 0.05)


def test_what_is_not_written_wholly_yet_is_not_read(host, traefik):
    """Half of a configuration lacks the servers of the other half."""
    received, built = traefik
    whole = logged(received("172.17.0.9", OLD))
    half = whole.index(f"//{OLD}")
    host.after(1, logged(built("172.17.0.9")), whole[:half])
    host.after(4, whole[half:], logged(built("172.17.0.9", OLD)))
    host.after(8, logged(received("172.17.0.9") + built("172.17.0.9")))
    assert host.run(DROP).seconds == pytest.approx(9 * 0.05)


def test_a_line_that_docker_split_is_one_line(host, traefik):
    received, built = traefik
    many = [f"172.17.1.{number}" for number in range(250)]
    many += [f"172.17.2.{number}" for number in range(250)]
    host.after(1, logged(received(*many, OLD) + built("172.17.1.1"), size=1000))
    host.after(6, logged(received(*many) + built("172.17.1.1"), size=1000))
    assert host.run(DROP).seconds == pytest.approx(7 * 0.05)


def test_a_log_that_is_begun_anew_is_read_from_its_beginning(host, traefik):
    received, built = traefik
    host.log.write_text(logged(received(OLD, NEW) + built(OLD, NEW)) * 10)
    host.after(2, logged(received(NEW) + built(NEW)), anew=True)
    assert host.run(DROP).seconds == pytest.approx(3 * 0.05)


def test_without_evidence_it_gives_up_after_a_second_and_docker_is_asked(host, traefik):
    received, built = traefik
    host.after(1, logged(received(OLD, NEW) + built(OLD, NEW)))
    ran = host.run(DROP)
    assert (ran.code, ran.err, host.inspected(ran.calls)) == (1, "", [])
    assert ran.seconds == pytest.approx(20 * 0.05)


def test_what_has_not_grown_is_not_read_again(host, traefik):
    """Twenty looks a second would else take a good part of a processor from Docker, which is waited for."""
    received, built = traefik
    reads = host.state / "reads"
    (host.bin / "awk").write_text(f"#!/bin/sh\necho read >> '{reads}'\nexec {shutil.which('awk')} \"$@\"\n")
    (host.bin / "awk").chmod(0o755)
    host.log.write_text(logged(received(OLD, NEW) + built(OLD, NEW)))
    host.after(7, logged(received(NEW)))
    host.after(12, logged(built(NEW)))
    assert host.run(DROP).seconds == pytest.approx(13 * 0.05)
    assert reads.read_text().split() == ["read"] * 3


def test_a_drain_asks_docker_once_a_second_while_the_log_says_nothing(host, traefik):
    received, built = traefik
    (host.home / "cord").mkdir()
    (host.home / "cord/cord").touch()
    host.docker(HEALTH, "healthy", "healthy", "unhealthy")
    host.after(61, logged(received(NEW) + built(NEW)))
    ran = host.run(drain([OLD_ONE]))
    assert (ran.code, ran.err) == (0, "")
    assert host.inspected(ran.calls) == [f"docker {HEALTH}"] * 3
    assert ran.seconds == pytest.approx(3 * 20 * 0.05 + 0.1 + 0.05)
    assert not (host.home / "cord/cord").exists()


def test_a_drain_is_over_when_the_log_says_so(host, traefik):
    received, built = traefik
    (host.home / "cord").mkdir()
    host.after(7, logged(received(NEW) + built(NEW)))
    ran = host.run(drain([OLD_ONE]))
    assert (ran.code, ran.err, host.inspected(ran.calls)) == (0, "", [])
    assert ran.seconds == pytest.approx(8 * 0.05)


@pytest.mark.parametrize(("health", "proxy"), [("unhealthy", DEBUG), ("healthy", INFO)])
def test_a_log_that_cannot_tell_is_not_watched(tmp_path, health, proxy):
    """The container may have left before, or the proxy does not log what it does."""
    ran = LoggingHost(tmp_path / "host", health, proxy).run(DROP)
    assert (ran.code, ran.seconds) == (1, 0)


@pytest.mark.parametrize("name", ["container.log", "gone/proxy-json.log"])
def test_another_driver_or_a_file_that_the_user_may_not_read_leaves_it_to_docker(tmp_path, name):
    host = LoggingHost(tmp_path / "host")
    path = host.log.parent / name
    if "/" not in name:
        path.touch()
    host.docker(
        NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=DEBUG.replace("none", f"none {path}"))
    )
    host.docker("logs --tail 1000 --since 999 traefik", v3(NEW) + v3_built(NEW))
    assert host.run(DROP).code == 1
    assert host.run("note_servers shop-web-v1 && await_dropped").code == 0


def test_a_new_container_is_served_when_newer_routers_have_it(host, traefik):
    received, built = traefik
    host.docker(
        NOTED.format("shop-web-v2"),
        seen(f"shop-web-v2 healthy {NEW}", proxy=DEBUG.replace("none", f"none {host.log}")),
    )
    host.log.write_text(logged(received(OLD) + built(OLD) + received(OLD, NEW)))
    host.after(2, logged(built(OLD, NEW)))
    ran = host.run(SERVE)
    assert (ran.code, ran.err, host.inspected(ran.calls)) == (0, "", [])
    assert ran.seconds == pytest.approx(2 * 0.1)


def test_a_new_container_that_was_served_long_ago_is_found_when_all_of_the_log_is_read(host, traefik):
    received, built = traefik
    host.docker(
        NOTED.format("shop-web-v2"),
        seen(f"shop-web-v2 healthy {NEW}", proxy=DEBUG.replace("none", f"none {host.log}")),
    )
    host.log.write_text(logged(received(NEW) + built(NEW) + "GET /\n" * 1500))
    assert host.run(SERVE).seconds == pytest.approx(3 * 0.1)


INSTALLED = [awk for awk in (["awk"], ["mawk"], ["gawk"], ["busybox", "awk"]) if shutil.which(awk[0])]


@pytest.mark.parametrize("awk", INSTALLED, ids=" ".join)
@pytest.mark.parametrize(("received", "built"), [(v2, v2_built), (v3, v3_built)])
def test_every_awk_that_is_here_reads_the_same(host, received, built, awk):
    (host.bin / "awk").write_text(f'#!/bin/sh\nexec {shutil.which(awk[0])} {" ".join(awk[1:])} "$@"\n')
    (host.bin / "awk").chmod(0o755)
    host.after(1, logged(received(OLD, NEW) + built(OLD, NEW)))
    host.after(2, logged(received(NEW), size=100))
    host.after(4, logged(built(NEW), size=100))
    assert host.run(DROP).seconds == pytest.approx(5 * 0.05)


@pytest.mark.parametrize(
    ("since", "lines", "code"),
    [
        ("2026-05-01T10:00:01", "a line\n", 0),
        ("2026-05-01T09:59:59.9Z", "a line\n", 1),
        ("2026-05-01T09:59:59.9Z", "a line\n2026-05-01T10:00:00Z INF Traefik version 3.5.3 built on x\n", 0),
        ("2026-05-01T09:59:59.9Z", "", 0),
    ],
    ids=["whole", "begun anew", "of a proxy that was started since", "empty"],
)
def test_whether_a_log_reaches_back(host, since, lines, code):
    host.log.write_text(logged(lines))
    assert host.run(f"{functions('reaches_back')}log='{host.log}'; reaches_back '{since}'").code == code
