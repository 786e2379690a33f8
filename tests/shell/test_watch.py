"""A new version watched after the switch: what turns bad, what does not, and who is let back."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.changes import BootContainer
from kamal_pyinfra.shell.rollout import watch
from tests.shell import builders
from tests.shell.fake_host import Answer, FakeHost

NEW = "shop-web-v2"
JOB = "shop-job-v2"
CORD = ".kamal/cords/shop-web-old"
LOG = "boom: out of memory"
PROBE = 'health check exited 1: "500"'


@pytest.fixture
def docker(host: FakeHost) -> FakeHost:
    """A host whose new containers keep well."""
    for name in (NEW, JOB):
        host.docker(f"inspect --format STATE {name}", "running healthy 0")
        host.docker(f"inspect --format PROBE {name}", PROBE)
        host.docker(f"logs --tail 50 {name}", LOG)
    return host


def watched(name: str = NEW, *, has_run: bool = False, is_probed: bool = True) -> BootContainer:
    return (builders.wait_for if has_run else builders.boot)(name=name, log_lines=50, is_primary=is_probed)


def script(*containers: BootContainer, seconds: int = 5, cmd: str | None = None, url: str | None = None) -> str:
    return watch(containers or (watched(),), (CORD,), seconds=seconds, cmd=cmd, url=url)


def is_let_back(docker: FakeHost) -> bool:
    return (docker.home / CORD / "cord").exists()


def test_a_version_that_keeps_well_is_watched_for_the_whole_time(docker):
    ran = docker.run(script(watched(), watched(JOB)))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert 5 <= ran.seconds < 5.5
    assert not is_let_back(docker)
    assert set(ran.calls.splitlines()) == {f"docker inspect --format STATE {name}" for name in (NEW, JOB)}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("running unhealthy 0", "running unhealthy"),
        ("exited unhealthy 0", "exited unhealthy"),
        ("running starting 1", "running starting, 1 restarts"),
        ("running healthy 2", "running healthy, 2 restarts"),
    ],
    ids=["unhealthy", "exited", "restarting", "restarted and well again"],
)
def test_what_gets_sick_stops_or_restarts_is_bad_at_once(docker, state, said):
    docker.docker(f"inspect --format STATE {NEW}", *["running healthy 0"] * 4, state)
    ran = docker.run(script())
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"{NEW}: went bad after the switch ({said})\n{PROBE}\nlast lines of its log:\n{LOG}\n"
    assert 1 < ran.seconds < 2
    assert is_let_back(docker)


def test_a_container_that_is_gone_is_bad(docker):
    docker.docker(f"inspect --format STATE {NEW}", Answer(err="Error: No such object: shop-web-v2", code=1))
    assert docker.run(script()).err.startswith(f"{NEW}: went bad after the switch (Error: No such object: {NEW})\n")


def test_the_second_container_counts_as_well(docker):
    docker.docker(f"inspect --format STATE {JOB}", "running none 0", "exited none 0")
    ran = docker.run(script(watched(), watched(JOB)))
    assert ran.err.startswith(f"{JOB}: went bad after the switch (exited none)\n")


def test_what_ran_before_may_have_restarted_before(docker):
    docker.docker(f"inspect --format {{{{.RestartCount}}}} {NEW}", "3")
    docker.docker(f"inspect --format STATE {NEW}", *["running healthy 3"] * 6, "running healthy 4")
    ran = docker.run(script(watched(has_run=True)))
    assert ran.err.startswith(f"{NEW}: went bad after the switch (running healthy, 4 restarts)\n")
    assert ran.seconds > 1


COMMAND = "bin/check 'it''s well'"
EXEC = f"exec {NEW} sh -c {COMMAND}"


def test_a_command_may_fail_once(docker):
    docker.docker(EXEC, "", Answer("odd", code=1), "", Answer("odd", code=1), "")
    ran = docker.run(script(cmd=COMMAND))
    assert (ran.code, ran.err) == (0, "")
    assert ran.calls.count(EXEC) == 6
    assert not is_let_back(docker)


def test_a_command_that_fails_twice_in_a_row_is_told_with_what_it_said(docker):
    docker.docker(EXEC, "", Answer("\x1b[31mno\x07 orders", code=1))
    ran = docker.run(script(watched(), watched(JOB, is_probed=False), cmd=COMMAND))
    assert ran.code == 1
    assert ran.err.splitlines()[0] == f"{NEW}: went bad after the switch ([31mno orders)"
    assert is_let_back(docker)
    assert f"exec {JOB}" not in ran.calls


def test_a_url_that_does_not_answer_is_told(docker):
    """It is one word for the shell, whatever is in it."""
    docker._program("curl", '#!/bin/sh\necho "asked $*"; exit 22\n')
    url = "http://localhost/deep?a=1&b=$(reboot)"
    ran = docker.run(script(url=url))
    assert ran.err.splitlines()[0] == f"{NEW}: went bad after the switch (asked -fsS -o /dev/null -m 5 {url})"


def test_a_worker_has_no_cord_to_tie(docker):
    docker.docker(f"inspect --format STATE {JOB}", "exited none 0")
    ran = docker.run(watch((watched(JOB),), (), seconds=5, cmd=None, url=None))
    assert ran.err.startswith(f"{JOB}: went bad after the switch (exited none)\n")


SILENT = Answer(err="Cannot connect to the Docker daemon.", code=1)


def test_an_engine_that_is_started_again_says_nothing_against_the_version(docker):
    docker.docker(f"inspect --format STATE {NEW}", *["running healthy 0"] * 3, *[SILENT] * 12, "running healthy 0")
    ran = docker.run(script())
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert not is_let_back(docker)


def test_an_engine_that_is_gone_fails_its_host_and_not_the_version(docker):
    docker.docker(f"inspect --format STATE {NEW}", *["running healthy 0"] * 15, SILENT)
    ran = docker.run(script())
    assert (ran.code, ran.out, ran.err) == (1, "", f"{SILENT.err}\nDocker does not answer\n")
    assert not is_let_back(docker)


def test_an_engine_that_cannot_say_how_often_a_container_restarted_is_no_answer(docker):
    docker.docker(f"inspect --format {{{{.RestartCount}}}} {NEW}", SILENT)
    ran = docker.run(script(watched(has_run=True)))
    assert (ran.code, is_let_back(docker)) == (1, False)
