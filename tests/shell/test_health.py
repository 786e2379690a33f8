"""The waiting loops, run by a real shell against a strict ``docker``; only ``sleep`` moves the clock."""

from __future__ import annotations

import shutil

import pytest

from kamal_pyinfra.shell import rollout
from kamal_pyinfra.shell.rollout import await_ready
from tests.shell import builders
from tests.shell.fake_host import Answer, FakeHost

READY = await_ready(builders.app_container(deadline=6, readiness_delay=4, log_lines=50))
STILL = rollout.gate([builders.boot(log_lines=50)])
GONE = "await_unhealthy shop-web-v1 5"
STATE = "inspect --format STATE shop-web-v2"
PROCESS = "inspect --format {{.State.Pid}} shop-web-v2"
PROBE = "inspect --format PROBE shop-web-v2"
PROGRESS = "inspect --format PROGRESS shop-web-v2"
LOGS = "logs --tail 50 shop-web-v2"
SERVING = "inspect --format SERVING shop-web-v1"


@pytest.fixture(params=[("sh",), ("bash", "--posix")], ids=" ".join)
def any_shell(request: pytest.FixtureRequest, host: FakeHost) -> FakeHost:
    """A host with this shell."""
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"no {request.param[0]} here")
    host.shell = request.param
    return host


def test_a_container_is_ready_when_docker_calls_it_healthy(any_shell):
    any_shell.docker(STATE, *["running starting 0"] * 7, "running healthy 0")
    ran = any_shell.run(READY)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert ran.calls.splitlines() == [f"docker {STATE}"] * 8
    assert ran.seconds == pytest.approx(4 * 0.05 + 3 * 0.1)


def test_an_unhealthy_container_may_still_recover_before_the_deadline(host):
    host.docker(STATE, *["running starting 0"] * 3, *["running unhealthy 0"] * 15, "running healthy 0")
    host.docker(PROGRESS, "")
    assert host.run(READY).code == 0


def test_whoever_watches_is_told_once_a_second_what_the_last_new_probe_said(any_shell):
    first, second = '1000 "T1" "T2" 22 "503\\n"', '1000 "T3" "T4" 0 "50%s \\"x\\""'
    any_shell.docker(STATE, *["running starting 0"] * 35, "running healthy 0")
    any_shell.docker(PROGRESS, f"{first}\n", f"{first}\n", f"{first}\n{second}\n")
    ran = any_shell.run(READY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"kp-waiting shop-web-v2 1 6 {first}\nkp-waiting shop-web-v2 2 6 {second}\n"
    assert ran.calls.count("PROGRESS") == 3


def test_a_container_that_never_gets_healthy_is_reported_with_its_probe_and_log(any_shell):
    any_shell.docker(STATE, "running unhealthy 0")
    any_shell.docker(PROGRESS, "")
    any_shell.docker(PROBE, 'health check exited 1: "curl: (7) refused"\nhealth check exited 22: "curl: (22) 500"\n')
    any_shell.docker(LOGS, Answer(out="booting\n", err="no database\n"))
    ran = any_shell.run(READY)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "shop-web-v2: not healthy after 6 s (running unhealthy)\n"
        'health check exited 22: "curl: (22) 500"\n'
        "last lines of its log:\n"
        "booting\nno database\n"
    )
    assert ran.seconds == pytest.approx(6, abs=0.5)


def test_a_report_holds_nothing_that_a_terminal_obeys_or_pyinfra_cannot_read(host):
    host.docker(STATE, "exited none 0")
    host.docker(PROBE, "")
    host.docker(LOGS, Answer(out=b"\x1b[31mred\x1b[0m \xff\xfe\x80 caf\xc3\xa9\r\n\x07\x00end\x9b2J\ttab\n"))
    ran = host.run(READY)
    assert ran.err.splitlines()[2:] == ["[31mred[0m  caf", "end2J\ttab"]
    assert ran.code == 1


@pytest.mark.parametrize(
    "state",
    ["exited none 0", "dead none 0", "restarting none 1", "running starting 1", "running healthy 2", "created none 0"],
)
def test_a_container_that_stopped_or_restarted_has_failed_at_once(host, state):
    host.docker(STATE, "running starting 0", state)
    host.docker(PROBE, "")
    host.docker(LOGS, "bye\n")
    ran = host.run(READY)
    assert ran.code == 1
    assert ran.err == (
        f"shop-web-v2: stopped before it was ready ({state.rpartition(' ')[0]})\nlast lines of its log:\nbye\n"
    )
    assert ran.seconds == pytest.approx(0.05)


@pytest.mark.parametrize(("process", "looks"), [("there", 2), ("gone", 41)])
def test_without_health_check_a_container_must_stay_up_and_docker_is_asked_little(any_shell, process, looks):
    (any_shell.folder / "there").mkdir()
    any_shell.docker(STATE, "running none 0")
    any_shell.docker(PROCESS, f"..{any_shell.folder / process}")
    ran = any_shell.run(READY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.seconds == pytest.approx(4)
    assert ran.calls.splitlines().count(f"docker {STATE}") == looks
    assert ran.calls.splitlines().count(f"docker {PROCESS}") == 1


@pytest.mark.parametrize(("began", "seconds"), [("99970", 3.7), ("100000", 4), ("99000", 0), ("100001", 4)], ids=str)
def test_how_long_it_is_up_counts_from_the_start_of_its_process(any_shell, began, seconds):
    process = any_shell.folder / "process"
    process.mkdir()
    fields = " ".join(["0"] * 17)
    (process / "stat").write_text(f"42 (a (b) c) S {fields} 1 {began} 4096 77\n")
    any_shell.docker(STATE, "running none 0")
    any_shell.docker(PROCESS, f"..{process}")  # below /proc, like one that runs
    ran = any_shell.run(READY)
    assert (ran.code, ran.err, ran.seconds) == (0, "", pytest.approx(seconds))


def test_without_readiness_delay_running_is_enough(host):
    host.docker("inspect --format STATE shop-job-v2", "running none 0")
    ran = host.run(await_ready(builders.job_container(readiness_delay=0)))
    assert (ran.code, ran.seconds) == (0, 0)


def test_without_health_check_a_container_whose_process_ends_is_looked_at_at_once(any_shell):
    process = any_shell.folder / "process"
    process.mkdir()
    any_shell.docker(PROCESS, f"..{process}")  # below /proc, like one that runs
    any_shell.docker(STATE, "running none 0", "exited none 0")
    any_shell.docker(PROBE, "")
    any_shell.docker(LOGS, "")
    ends = f'naps=0; sleep() {{ command sleep "$1"; naps=$(( naps + 1 )); [ "$naps" -ne 7 ] || rmdir {process}; }}\n'
    ran = any_shell.run(ends + READY)
    assert (ran.code, ran.seconds) == (1, pytest.approx(0.7))
    assert ran.calls.splitlines().count(f"docker {STATE}") == 2


@pytest.mark.parametrize("process", ["0", Answer(code=1)])
def test_without_health_check_a_container_that_dies_later_fails_at_once(host, process):
    host.docker(STATE, *["running none 0"] * 15, "exited none 0")
    host.docker(PROCESS, process)
    host.docker(PROBE, "")
    host.docker(LOGS, "")
    ran = host.run(READY)
    assert (ran.code, ran.seconds) == (1, pytest.approx(1.5))


def test_a_container_that_is_gone_is_no_endless_wait(host):
    host.docker(STATE, Answer(err="Error: No such object: shop-web-v2", code=1))
    ran = host.run(READY)
    assert (ran.code, ran.err, ran.seconds) == (1, "Error: No such object: shop-web-v2\n", 0)


def test_an_old_container_is_awaited_until_docker_calls_it_unhealthy(any_shell):
    any_shell.docker(SERVING, *["healthy"] * 9, "unhealthy")
    ran = any_shell.run(GONE)
    assert (ran.code, ran.err) == (0, "")
    assert ran.seconds == pytest.approx(9 * 0.1)


@pytest.mark.parametrize("state", ["unhealthy", "stopped", "none"])
def test_a_container_that_serves_nothing_is_not_awaited(host, state):
    host.docker(SERVING, state)
    ran = host.run(GONE)
    assert (ran.code, ran.seconds) == (0, 0)


def test_a_container_that_stays_healthy_without_cord_is_an_error(host):
    host.docker(SERVING, "healthy")
    ran = host.run(GONE)
    assert (ran.code, ran.err) == (1, "shop-web-v1: still healthy 5 s after its cord was cut\n")
    assert ran.seconds == pytest.approx(5, abs=0.5)


def test_the_calls_as_text():
    assert await_ready(builders.app_container(name="a b")) == "await_ready 'a b' 28 7 50 0"
    assert rollout.gate([builders.wait_for(name="a b")]) == "still_ready 'a b' 50 any"


@pytest.mark.parametrize("state", ["running healthy 0", "running none 0"])
def test_a_container_that_is_still_ready_passes_the_gate(any_shell, state):
    any_shell.docker(STATE, state)
    ran = any_shell.run(STILL)
    assert (ran.code, ran.out, ran.err, ran.seconds) == (0, "", "", 0)


@pytest.mark.parametrize(
    "state", ["exited none 0", "running healthy 1", "running starting 0", "running unhealthy 0", "restarting none 1"]
)
def test_a_container_that_was_ready_and_is_no_more_does_not_pass_the_gate(any_shell, state):
    any_shell.docker(STATE, state)
    any_shell.docker(PROBE, "")
    any_shell.docker(LOGS, "bye\n")
    ran = any_shell.run(STILL)
    assert ran.code == 1
    assert ran.err == (
        f"shop-web-v2: was ready, but is so no more ({state.rpartition(' ')[0]})\nlast lines of its log:\nbye\n"
    )


def test_a_container_that_ran_before_may_have_restarted_before(host):
    host.docker(STATE, "running healthy 3")
    assert host.run(rollout.gate([builders.wait_for()])).code == 0
