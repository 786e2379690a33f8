"""Samples → JSON and the tables of ``docs/trust/performance.md``."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.measure import Samples, Setting
from bench.speed import STEPS

NO_HOSTS = ("kp --help", "a host completed")
Results = Mapping[Setting, Mapping[str, Samples]]

KAMAL = {
    "kp deploy": "20 (1.9.2), 14 to 15 (2.11)",
    "kp deploy, readiness_delay 0": "6.9 (2.11, at its best)",
    "kp rollback": "17 (1.9.2)",
    "a version that never gets healthy": "34 (1.9.2, up to 28 s to get healthy; here 10)",
    "kp --help": "0.85 (1.9.2)",
}
"""Seconds measured with Kamal on a lab like this one; 2 web hosts and a worker, 0 ms."""


def as_json(results: Results) -> list[dict[str, Any]]:
    """Every sample."""
    return [
        {
            "hosts": setting.hosts,
            "round_trip_ms": setting.round_trip,
            "action": action,
            "seconds": samples.seconds,
            "phases": samples.phases,
            "counts": samples.counts,
        }
        for setting, actions in results.items()
        for action, samples in actions.items()
    ]


def document(results: Results, rounds: int, loops: Sequence[float], peer: Mapping[str, float] | None = None) -> str:
    """The tables, as Markdown.

    Args:
        results: what was measured.
        rounds: how often.
        loops: how long Python took for a loop, from time to time during the run.
        peer: another deployer's seconds.
    """
    return "\n".join(
        (
            f"Run of {datetime.date.today().isoformat()}: medians of {rounds} rounds, interleaved; "
            f"{os.cpu_count()} cores for controller and hosts together, on which a loop of {STEPS:,} steps "
            f"in Python took {min(loops):.1f} to {max(loops):.1f} s. Seconds; in brackets times the floor.",
            "",
            *_timings(results, peer or {}),
            "",
            "What a command sends and uses (largest over hosts and rounds; CPU and memory of the controller):",
            "",
            *_counts(results),
            "",
        )
    )


def _timings(results: Results, peer: Mapping[str, float]) -> list[str]:
    settings = list(results)
    rows = [
        f"| | {' | '.join(setting.name for setting in settings)} | Kamal |",
        f"|---|{'---|' * len(settings)}---|",
    ]
    actions = dict.fromkeys(action for actions in results.values() for action in actions)
    for action in sorted(actions, key=lambda action: not action.startswith("floor")):
        cells = [_cell(results[setting], action) for setting in settings]
        beside = f"{peer[action]:.1f} (in this run)" if action in peer else KAMAL.get(action, "")
        rows.append(f"| {action} | {' | '.join(cells)} | {beside} |")
    return rows


def _cell(actions: Mapping[str, Samples], action: str) -> str:
    if action not in actions:
        return ""
    middle = median(actions[action].seconds)
    ratio = "" if action.startswith("floor") else f" ({middle / median(actions['floor'].seconds):.2f})"
    return f"{middle:.2f}{ratio}"


def _counts(results: Results) -> list[str]:
    rows = ["| | setting | commands per host | kB per host | CPU s | memory MB |", "|---|---|---|---|---|---|"]
    for setting, actions in results.items():
        for action, samples in actions.items():
            if samples.counts and action not in NO_HOSTS:
                rows.append(f"| {action} | {setting.name} | {_count(samples)} |")
    return rows


def _count(samples: Samples) -> str:
    commands = max(max(count["commands"].values(), default=0) for count in samples.counts)
    sent = max(max(count["bytes"].values(), default=0) for count in samples.counts) / 1000
    cpu = median(count["cpu"] for count in samples.counts)
    memory = max(count["memory"] for count in samples.counts)
    return f"{commands} | {sent:.0f} | {cpu:.1f} | {memory:.0f}"


def replace_part(page: str, name: str, text: str) -> str:
    """The page with a text between the marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    if not found:
        raise ValueError(f"the page has no {begin}")
    return f"{before}{begin}\n{text}{end}{rest.partition(end)[2]}"
