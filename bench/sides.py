"""Times another checkout's `kp` and this one's side by side, in turn, on the same hosts.

``python -m bench.sides OTHER [--rounds N] [--hosts 1,3]``, where OTHER is a folder such as ``git worktree add`` makes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.measure import Bench, Samples, Setting
from bench.speed import seconds_of_loop
from tests.e2e.project import CHECKOUT
from tests.lab.lab import Lab

NAMES = ("before", "now")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sides", description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--hosts", default="1,3", help="numbers of hosts")
    options = parser.parse_args()
    checkouts = dict(zip(NAMES, (options.other.resolve(), CHECKOUT), strict=True))
    for count in map(int, options.hosts.split(",")):
        setting = Setting(count, 0)
        sys.stderr.write(f"bench: {setting.name}\n")
        loops = [seconds_of_loop()]
        sides = compare(Lab.load(), setting, checkouts, options.rounds)
        loops.append(seconds_of_loop())
        sys.stdout.write(table(setting, sides, options.rounds, loops))


def compare(lab: Lab, setting: Setting, checkouts: Mapping[str, Path], rounds: int) -> dict[str, dict[str, Samples]]:
    """Each checkout's actions, in turn; which one begins changes from round to round.

    Args:
        lab: where to.
        setting: so many hosts.
        checkouts: the folders of the two versions by name.
        rounds: how often.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(lab, setting, Path(folder), stack)
        bench.prepare()
        samples: dict[str, dict[str, Samples]] = {name: {} for name in checkouts}
        for number in range(rounds):
            for name in sorted(checkouts, reverse=bool(number % 2)):
                bench.checkout, bench.samples = checkouts[name], _Grown(samples[name])
                _actions(bench)
        bench.clear()
        return samples


class _Grown(dict[str, Samples]):
    """Samples of one version, to which each round adds."""

    def __init__(self, kept: dict[str, Samples]) -> None:
        self.kept = kept

    def __getitem__(self, action: str) -> Samples:
        return self.kept.setdefault(action, Samples())


def _actions(bench: Bench) -> None:
    bench.kp("(own containers first)", "deploy", version="v1")
    bench.kp("(own containers first)", "deploy", version="v2")
    bench.kp("kp plan", "plan", version="v1")
    bench.kp("kp deploy", "deploy", version="v1")
    bench.kp("kp rollback", "rollback", "v2", version="v1")
    bench.kp("kp deploy, nothing to do", "deploy", version="v2")
    bench.project.change(lambda config: config.update(readiness_delay=0))
    bench.kp("kp deploy, readiness_delay 0", "deploy", version="v1")
    bench.project.change(lambda config: config.update(readiness_delay=1))
    bench.kp("kp --help", "--help", version="v1")


def table(setting: Setting, sides: Mapping[str, Mapping[str, Samples]], rounds: int, loops: Sequence[float]) -> str:
    """The medians and their ratio, as Markdown."""
    before, now = (sides[name] for name in NAMES)
    rows = [
        f"{setting.name}: medians of {rounds}, in turn; a loop took {min(loops):.1f} to {max(loops):.1f} s.",
        "",
        "| | before | now | now / before | commands for a host |",
        "|---|---|---|---|---|",
    ]
    for action in before:
        if not action.startswith("("):
            old, new = median(before[action].seconds), median(now[action].seconds)
            commands = " → ".join(str(_commands(side[action])) for side in (before, now))
            rows.append(f"| {action} | {old:.2f} | {new:.2f} | {new / old:.2f} | {commands} |")
    return "\n".join((*rows, "", ""))


def _commands(samples: Samples) -> int:
    return max(max(count["commands"].values(), default=0) for count in samples.counts)


if __name__ == "__main__":
    main()
