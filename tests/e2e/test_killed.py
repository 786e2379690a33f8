"""Rerun is the cure: kp is killed in every phase, and the same command then converges."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")
MOMENTS = (
    *(("lock", 0.1), ("prepare", 0.1), ("boot", 0.1), ("switch", 0.1), ("switch", 0.9)),
    *(("finish", 0), ("unlock", 0)),
)
"""Phases, and seconds after the beginning; late in the switch old containers are being stopped."""

KILLER = """
import os, signal, sys
import pyinfra_cli
from kamal_pyinfra.runner.emitter import Emitter
phase, number = sys.argv.pop(1), int(sys.argv.pop(1))
began = Emitter.operation_began
def operation_began(self, name):
    began(self, name)
    if self.phase == phase:
        import gevent
        gevent.spawn_later(float(os.environ.get("KILL_AFTER", "0.3")), os.kill, os.getpid(), number)
Emitter.operation_began = operation_began
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


@pytest.mark.parametrize(("phase", "after"), MOMENTS)
def test_a_killed_deploy_is_cured_by_a_rerun(serving: Project, phase: str, after: float) -> None:
    """SIGKILL in a phase, then the same command: it must converge, without a lost request from first to last."""
    version = f"kill-{phase}-{after}"
    in_batches = {"limit": 1, "wait": 0}  # hosts of a single one are finished with the switch
    serving.change(lambda config: config.update(boot=in_batches if phase == "finish" else {}))
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        serving.env["KILL_AFTER"] = str(after)
        assert run_until(serving, phase, signal.SIGKILL, version) == -signal.SIGKILL
        del serving.env["KILL_AFTER"]
        serving.kp("deploy", version=version)
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
