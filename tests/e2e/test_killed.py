"""Rerun is the cure: kp is killed in every phase, and the same command then converges."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")
MOMENTS = {"lock": 0.1, "prepare": 0.1, "boot": 0.1, "switch": 0.1, "finish": 0, "unlock": 0}
"""Phases, and seconds after the beginning."""
STOPPING = "/tmp/stopping"
HELD = f"""#!/bin/sh
if [ "$1" = stop ]; then : > {STOPPING}; exec sleep 60; fi
exec /usr/bin/docker "$@"
"""
"""A docker that stops nothing within the time of a test, and leaves a file to say that it was asked to."""

KILLER = """
import os, signal, sys
import pyinfra_cli
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.progress.report import Report
phase, number = sys.argv.pop(1), int(sys.argv.pop(1))
emit = Report.emit
def emit_and_kill(self, kind, **fields):
    emit(self, kind, **fields)
    if (kind, self.phase) == (events.OperationStarted, phase):
        import gevent
        gevent.spawn_later(float(os.environ.get("KILL_AFTER", "0.3")), os.kill, os.getpid(), number)
Report.emit = emit_and_kill
from kamal_pyinfra.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def serving(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    (project.folder / "killer.py").write_text(KILLER)
    project.kp("setup", version="v0")
    return project


def run_until(project: Project, phase: str, number: int, version: str) -> int:
    """Deploy, and let a signal hit the process in the middle of a phase; returns its exit code."""
    done = project.execute([sys.executable, "killer.py", phase, str(number), "deploy"], version=version, code=None)
    return done.returncode


@contextmanager
def stopping_held(project: Project) -> Iterator[None]:
    """On one of two hosts the switch does not get beyond stopping the old container, however fast the machine is."""
    project.lab.ssh("web2", "cat > /usr/local/bin/docker && chmod 755 /usr/local/bin/docker", input=HELD)
    try:
        yield
    finally:
        project.lab.ssh("web2", f"rm -f /usr/local/bin/docker {STOPPING}")


@pytest.mark.parametrize("phase", MOMENTS)
def test_a_killed_deploy_is_cured_by_a_rerun(serving: Project, phase: str) -> None:
    """SIGKILL in a phase, then the same command: it must converge, without a lost request from first to last."""
    version = f"kill-{phase}"
    in_batches = {"limit": 1, "wait": 0}  # hosts of a single one are finished with the switch
    serving.change(lambda config: config.update(boot=in_batches if phase == "finish" else {}))
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        serving.env["KILL_AFTER"] = str(MOMENTS[phase])
        with stopping_held(serving) if phase == "switch" else nullcontext():
            assert run_until(serving, phase, signal.SIGKILL, version) == -signal.SIGKILL
        del serving.env["KILL_AFTER"]
        serving.kp("deploy", version=version)
    assert_cured(serving, version, load)


def test_a_deploy_that_is_killed_while_old_containers_stop_is_cured_by_a_rerun(serving: Project) -> None:
    """SIGKILL when one host has stopped its old container and another is about to: the same must hold."""
    old, version = serving.running(["web1"])["web1"][0], "kill-stop"
    serving.change(lambda config: config.update(boot={}))
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        with stopping_held(serving):
            process = serving.start("kp", "deploy", version=version)
            asked = f"test -e {STOPPING}"
            eventually(lambda: serving.lab.ssh("web2", asked, check=False).returncode == 0, seconds=60, what="the stop")
            eventually(lambda: serving.containers("web1")[old] == "exited", what="the end of the other host's")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        assert serving.running(["web2"]) == {"web2": sorted([old, f"shop-web-{version}"])}
        serving.kp("deploy", version=version)
    assert_cured(serving, version, load)


def assert_cured(serving: Project, version: str, load: Load) -> None:
    assert load.report.failed == 0, load.report.as_json()
    assert {host: serving.served(host) for host in WEB} == dict.fromkeys(WEB, version)
    assert serving.running(("web1", "web2", "job1")) == {
        "web1": [f"shop-web-{version}"],
        "web2": [f"shop-web-{version}"],
        "job1": [f"shop-job-{version}"],
    }
    assert not serving.lock_exists()
    assert serving.kp("plan", version=version).stdout == f"shop {version}: nothing to change.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_deploy_takes_back_what_it_began(serving: Project, number: signal.Signals) -> None:
    """SIGINT or SIGTERM while the new version boots must leave the old one serving, the lock free, exit 128+n."""
    serving.kp("deploy", version="steady")
    serving.set_env(APP_START_DELAY="5")
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        code = run_until(serving, "boot", number, "late")
    serving.set_env(COLOR="blue")
    assert code == 128 + number
    assert load.report.failed == 0, load.report.as_json()
    assert serving.running(("web1", "web2", "job1")) == {
        "web1": ["shop-web-steady"],
        "web2": ["shop-web-steady"],
        "job1": ["shop-job-steady"],
    }
    assert not serving.lock_exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_lock_is_taken_leaves_no_lock(serving: Project, number: signal.Signals) -> None:
    """Whether the lock was taken just before the signal or not, it must be free afterwards, with exit 128+n."""
    for after in ("0", "0.05", "0.1"):
        serving.env["KILL_AFTER"] = after
        code = run_until(serving, "lock", number, f"never-{after}")
        assert (code, serving.lock_exists()) == (128 + number, False)
    del serving.env["KILL_AFTER"]
