"""Another deployer with Kamal's command line, side by side: ``--peer kamal``."""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.e2e.project import Project
from tests.lab.lab import Lab

ACTIONS = {
    "kp deploy": ("deploy --skip-push --version v2", "v2"),
    "kp rollback": ("rollback v1", "v2"),
    "kp --help": ("help", "v1"),
}


def measure_peer(lab: Lab, command: str, rounds: int) -> dict[str, float]:
    """Medians of the peer's own deploy, rollback and help on three hosts, from the same configuration."""
    times: dict[str, list[float]] = {action: [] for action in ACTIONS}
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(lab, Path(folder))
        for host in ("web1", "web2", "job1"):
            lab.reset(host, images=False)
        for version in ("v2", "v1"):
            project.kp("setup", version=version)
        for _ in range(rounds):
            for action, (arguments, version) in ACTIONS.items():
                began = time.monotonic()
                project.execute([*shlex.split(command), *shlex.split(arguments)], version=version)
                times[action].append(time.monotonic() - began)
    return {action: median(seconds) for action, seconds in times.items()}
