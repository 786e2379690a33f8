"""Times `kp` beside the floor that Docker itself sets, interleaved in one run, since machines are noisy.

The floor is the same docker commands in one shell script on one host, with no controller: run a second
container, wait until it is healthy, cut the first one's cord, wait until it is unhealthy, stop it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.project import Project
from tests.lab.lab import Lab

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))

FLOOR = """
set -e
state() {{ docker inspect --format '{{{{.State.Health.Status}}}}' "$1"; }}
run() {{
  mkdir -p "$HOME/floor/$1"; touch "$HOME/floor/$1/cord"
  docker run --detach --name "floor-$1" --label role=floor --env-file .kamal/env/roles/shop-web.env \
    --health-cmd '(curl -f http://localhost:3000/up || exit 1) && (stat /tmp/kamal-cord/cord > /dev/null || exit 1)' \
    --health-interval 1s --volume "$HOME/floor/$1:/tmp/kamal-cord" {image} > /dev/null
  until [ "$(state "floor-$1")" = healthy ]; do sleep 0.2; done
}}
docker rm -f floor-old floor-new > /dev/null 2>&1
run old
began=$(date +%s%N)
run new
rm "$HOME/floor/old/cord"
until [ "$(state floor-old)" = unhealthy ]; do sleep 0.2; done
docker stop floor-old > /dev/null
echo $(( ( $(date +%s%N) - began ) / 1000000 ))
docker rm -f floor-old floor-new > /dev/null
"""


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def floor(project: Project) -> float:
    """One version change on one host without a controller, in seconds."""
    script = FLOOR.format(image=f"{project.lab.registry.server}/shop:v1")
    return int(project.lab.ssh("web1", script).stdout.split()[-1]) / 1000


def measure(project: Project) -> dict[str, list[float]]:
    """Every timing, once per round, one after the other."""
    for version in ("v1", "v2"):
        project.kp("setup", version=version)
    times: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        new, old = ("v1", "v2") if number % 2 == 0 else ("v2", "v1")
        rows = {
            "floor, one host": lambda: floor(project),
            "kp --help": lambda: seconds(lambda: project.kp("--help")),
            "kp plan, nothing to do": lambda version=old: seconds(lambda: project.kp("plan", version=version)),
            "kp deploy, nothing to do": lambda version=old: seconds(lambda: project.kp("deploy", version=version)),
            "kp deploy, 3 hosts": lambda version=new: seconds(lambda: project.kp("deploy", version=version)),
            "kp rollback, 3 hosts": lambda version=old: seconds(lambda: project.kp("rollback", version)),
            "back again": lambda version=new: seconds(lambda: project.kp("deploy", version=version)),
        }
        for name, row in rows.items():
            times.setdefault(name, []).append(row())
    return times


def main() -> None:
    """Print one Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Lab.load(), Path(folder))
        for host in ("web1", "web2", "job1"):
            project.lab.reset(host, images=False)
        times = measure(project)
    base = statistics.median(times["floor, one host"])
    sys.stdout.write(f"Medians of {ROUNDS}, interleaved.\n\n| what | seconds | times floor |\n|---|---|---|\n")
    for name, values in times.items():
        middle = statistics.median(values)
        sys.stdout.write(f"| {name} | {middle:.2f} | {middle / base:.2f} |\n")


if __name__ == "__main__":
    main()
