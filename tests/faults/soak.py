"""`python -m tests.faults.soak [-n 100] [--seed 1]`: deploys and rollbacks in a row, under load, with faults."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults import results
from tests.faults.scene import Outcome, play
from tests.faults.stage import HOSTS, Stage
from tests.faults.table import CASES, Case
from tests.lab.lab import Lab

RESULTS = Path(__file__).parent / "soak.json"
BEGIN, END = "<!-- soak: begin, written by `make soak` -->", "<!-- soak: end -->"
EVERY = 3
"""One command in so many meets a fault."""

FAULTS = tuple(
    cell
    for cell in CASES
    if cell[0]
    in (
        "SIGKILL",
        "SIGINT",
        "SIGTERM",
        "connection cut",
        "never healthy",
        "healthy, then crashes",
        "docker run refused",
    )
    or cell in {("registry down", "prepare"), ("image missing", "prepare"), ("two deploys", "boot")}
)
COUNT = r"""
echo containers $(docker ps -aq | wc -l)
echo images $(docker images -q --no-trunc | wc -l)
echo cords $(ls /root/.kamal/cords | wc -l)
echo files $(find /root/.kamal /tmp -type f | wc -l)
echo connections $(ss -Htn state established '( sport = :22 )' | wc -l)
echo processes $(ps -e | wc -l)
"""
NOTHING = Case(inject=lambda scene: None, before=True, codes=(0,), after="new")


@dataclass
class Soak:
    """What a soak came to."""

    seed: int
    deploys: int = 0
    rollbacks: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    failed: int = 0
    spared: int = 0
    seconds: float = 0.0
    date: str = ""
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    memory_first_kb: int = 0
    memory_last_kb: int = 0
    memory_kb: list[int] = field(default_factory=list)


def count(stage: Stage) -> dict[str, int]:
    """What there is on all hosts together."""
    found: Counter[str] = Counter()
    for host in HOSTS:
        for line in stage.lab.exec(host, COUNT).stdout.splitlines():
            name, _, number = line.partition(" ")
            found[name] += int(number)
    return dict(found)


def soak(stage: Stage, rounds: int, seed: int, seconds: float) -> Soak:
    """Run commands in a row; the same seed does the same."""
    chance = random.Random(seed)
    found = Soak(seed)
    began = time.monotonic()
    for number in range(1, rounds + 1):
        if time.monotonic() - began > seconds:
            break
        outcome = _round(stage, number, chance, found)
        found.requests += outcome.requests
        found.failed += outcome.failed
        found.spared += outcome.spared
        found.problems += [f"{number}, {outcome.fault}: {problem.splitlines()[0]}" for problem in outcome.problems]
        found.memory_kb.append(outcome.memory_kb)
        print(f"{number:>4} {results.line(outcome)}", *outcome.problems, sep="\n    ", flush=True)
        if number == 6:  # by now as many old containers are retained as may be
            found.first = count(stage)
    found.last = count(stage)
    found.seconds, found.date = round(time.monotonic() - began), time.strftime("%Y-%m-%d", time.gmtime())
    quarter = max(1, len(found.memory_kb) // 4)
    found.memory_first_kb = max(found.memory_kb[:quarter], default=0)
    found.memory_last_kb = max(found.memory_kb[-quarter:], default=0)
    return found


def _round(stage: Stage, number: int, chance: random.Random, found: Soak) -> Outcome:
    if number % EVERY == 0:
        fault, phase = chance.choice(FAULTS)
        found.faults[fault] = found.faults.get(fault, 0) + 1
        found.deploys += 1
        return play(stage, fault, phase, CASES[fault, phase])
    if number % EVERY == 1 and number > 1:
        found.rollbacks += 1
        return _rollback(stage)
    found.deploys += 1
    return play(stage, "no fault", "deploy", NOTHING)


def _rollback(stage: Stage) -> Outcome:
    """Back to the version before, which is still on the hosts."""
    stopped = [name for name, state in stage.project.containers("web1").items() if state != "running"]
    earlier = next(name for name in stopped if name.startswith("shop-web-")).removeprefix("shop-web-")
    case = Case(
        inject=lambda scene: None, before=True, codes=(0,), after="new", command=("rollback", earlier), version=earlier
    )
    return play(stage, "no fault", "rollback", case)


def render(found: Soak) -> str:
    """The figures as Markdown."""
    rows = [
        ("commands", f"{found.deploys} deploys and {found.rollbacks} rollbacks in {found.seconds:.0f} s"),
        ("faults", ", ".join(f"{name} ×{times}" for name, times in sorted(found.faults.items())) or "none"),
        ("requests", f"{found.requests}, {found.failed} failed"),
        ("requests at hosts whose own fault fails them", str(found.spared)),
        ("rounds that did not hold", "; ".join(found.problems) or "none"),
        *((name, f"{found.first.get(name, 0)} → {found.last[name]}") for name in found.last),
        ("memory of the controller", f"{found.memory_first_kb // 1024} MB → {found.memory_last_kb // 1024} MB"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    title = f"{found.date}, seed {found.seed}; counts are of all hosts, after round 6 → at the end."
    return "\n".join([title, "", "| | |", "|---|---|", *lines, ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("-n", type=int, default=100, dest="rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no round after so many")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kp-soak-") as folder:
        found = soak(Stage.create(Lab.load(), Path(folder) / "project"), options.rounds, options.seed, options.seconds)
    RESULTS.write_text(json.dumps(asdict(found), indent=1) + "\n")
    write_page(found)
    print(render(found))
    return 1 if found.problems else 0


def write_page(found: Soak) -> None:
    """Put the figures on the page."""
    text = results.PAGE.read_text()
    head, rest = text.split(BEGIN)
    results.PAGE.write_text(head + BEGIN + "\n\n" + render(found) + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    sys.exit(main())
