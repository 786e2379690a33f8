"""The timings of one setting: so many hosts behind so long a way, `kp` and the floor one after the other."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.floor import floor, floor_at_once, floor_script
from bench.installed import user_python
from bench.relay import PORT, Relay
from bench.speed import settle
from tests.e2e.project import CHECKOUT, Project
from tests.lab.lab import Lab

COMPLETION = {"_KP_COMPLETE": "bash_complete", "COMP_WORDS": "kp deploy --hosts ", "COMP_CWORD": "3"}
"""What bash sets when somebody presses TAB here."""


@dataclass(frozen=True)
class Setting:
    """Where a deploy goes: number of hosts, and milliseconds of round trip."""

    hosts: int
    round_trip: int

    @property
    def name(self) -> str:
        return f"{self.hosts} host{'s' if self.hosts > 1 else ''}, {self.round_trip} ms"


@dataclass
class Samples:
    """What was measured of one action, round by round."""

    seconds: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)


class Bench:
    """A project on some hosts of the lab, and the actions on it."""

    def __init__(self, lab: Lab, setting: Setting, folder: Path, stack: ExitStack) -> None:
        self.setting = setting
        self.checkout = CHECKOUT
        web, job = self._servers(lab, setting)
        self.near = {f"127.0.1.{number}": lab.hosts[host] for number, host in enumerate((*web, *job), start=11)}
        by_name = dict(zip((*web, *job), self.near, strict=True)) if setting.round_trip else lab.hosts
        self.used = tuple(dict.fromkeys((*web, *job)))
        self.roles = {
            host: [role for role, hosts in (("web", web), ("job", job)) if host in hosts] for host in self.used
        }
        servers = {
            "web": {"hosts": [by_name[host] for host in web]},
            "job": {"hosts": [by_name[host] for host in job], "cmd": "python app.py worker"},
        }
        ssh: dict[str, Any] = {"keys": [str(lab.key)], "known_hosts": str(folder / "known_hosts")}
        if setting.round_trip:
            ssh["port"] = PORT
            stack.enter_context(Relay(self.near, setting.round_trip))
        self.project = Project.create(lab, folder, servers=servers, ssh=ssh)
        self.samples: dict[str, Samples] = defaultdict(Samples)

    @staticmethod
    def _servers(lab: Lab, setting: Setting) -> tuple[list[str], list[str]]:
        hosts = [host for host in lab.hosts if not host.startswith("bare")][: setting.hosts]
        workers = hosts[2::3] or hosts
        return [host for host in hosts if host not in workers] or hosts, workers

    def kp(self, action: str, *arguments: str, version: str, code: int = 0) -> None:
        """Time one command, and count."""
        output, timeline = self.project.folder / "counted.json", self.project.folder / ".kamal/last-deploy.json"
        timeline.unlink(missing_ok=True)
        command = [user_python(), "-m", "bench.counted", str(output), *arguments]
        self.project.env["PYTHONPATH"] = str(self.checkout)
        settle()
        began = time.monotonic()
        self.project.execute(command, version=version, code=code)
        samples = self.samples[action]
        samples.seconds.append(time.monotonic() - began)
        samples.phases.append(phases(timeline))
        samples.counts.append(json.loads(output.read_text()))

    def clear(self) -> None:
        """Leave nothing on the hosts that would take part of the processors from the next setting."""
        for host in self.used:
            self.project.lab.reset(host, images=False)

    def prepare(self) -> None:
        """Both versions on the hosts, each with the settings of today."""
        self.clear()
        for version in ("v1", "v2", "v1"):
            self.project.kp("setup", version=version)
        self.floors = {
            "floor": floor_script(self.project),
            "floor, the check standing by": floor_script(self.project, stands_by=True),
        }

    def round(self) -> None:
        """Each action once."""
        for name, script in self.floors.items():
            settle()
            self.samples[name].seconds.append(floor(self.project, script))
        if self.setting.hosts > 1:
            settle()
            self.samples["floor, all hosts at once"].seconds.append(floor_at_once(self.project, self.roles))
        self.kp("kp deploy", "deploy", version="v2")
        self.kp("kp rollback", "rollback", "v1", version="v2")
        self.kp("kp redeploy", "redeploy", version="v2")
        self.project.change(lambda config: config.update(readiness_delay=0))
        self.kp("kp deploy, readiness_delay 0", "deploy", version="v1")
        self.project.change(lambda config: config.update(readiness_delay=1))
        self.kp("kp deploy, nothing to do", "deploy", version="v1")
        self.kp("kp plan", "plan", version="v1")
        self.kp("kp setup, hosts prepared", "setup", version="v1")
        self.project.set_env(APP_NEVER_HEALTHY="1")
        self.kp("a version that never gets healthy", "deploy", version="v2", code=1)
        self.project.set_env(COLOR="blue")
        self.kp("kp --help", "--help", version="v1")
        self.project.env |= COMPLETION
        self.kp("a host completed", version="v1")
        for name in COMPLETION:
            del self.project.env[name]


def phases(timeline: Path) -> dict[str, float]:
    """Seconds by phase, of the run that wrote this; empty if it changed nothing."""
    found = json.loads(timeline.read_text())["phases"] if timeline.exists() else []
    return {phase["phase"]: phase["seconds"] for phase in found}


def measure(lab: Lab, setting: Setting, rounds: int) -> dict[str, Samples]:
    """All actions, `rounds` times, interleaved."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(lab, setting, Path(folder), stack)
        bench.prepare()
        for _ in range(rounds):
            bench.round()
        bench.clear()
        return dict(bench.samples)
