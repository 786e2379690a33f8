"""What the cells came to, kept as JSON and shown on docs/trust/faults.md."""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.scene import Outcome
from tests.faults.table import FAULTS, PHASES

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
RESULTS = HERE / "results.json"
PAGE = CHECKOUT / "docs/trust/faults.md"
BEGIN, END = "<!-- faults: begin, written by `make faults` -->", "<!-- faults: end -->"

ADDRESS = re.compile(r"\d+(\.\d+){3}")

Results = dict[tuple[str, str], dict[str, Any]]


def read() -> Results:
    """All results, by fault and phase."""
    if not RESULTS.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text())
    return {tuple(name.rsplit(": ", 1)): entry for name, entry in found.items()}  # type: ignore[misc]


def note(outcome: Outcome) -> None:
    """Keep the result of one cell; several runs may do so at once, each on a lab of its own."""
    entry = {
        "problems": [ADDRESS.sub("HOST", problem.splitlines()[0])[:120] for problem in outcome.problems],
        "requests": outcome.requests,
        "failed": outcome.failed,
        "spared": outcome.spared,
        "code": outcome.code,
        "seconds": outcome.seconds,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    with (HERE / "results.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read() | {(outcome.fault, outcome.phase): entry}
        ordered = {
            f"{fault.name}: {phase}": found[fault.name, phase]
            for fault in FAULTS
            for phase in PHASES
            if (fault.name, phase) in found
        }
        RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")
        render()


def line(outcome: Outcome) -> str:
    """One cell for a terminal."""
    verdict = "FAILED" if outcome.problems else "ok"
    return (
        f"{verdict:<6} {outcome.fault:<22} {outcome.phase:<8} exit {outcome.code}, {outcome.failed} of"
        f" {outcome.requests} requests failed (+{outcome.spared} spared), {outcome.seconds:.0f} s "
        + str({name: round(seconds, 1) for name, seconds in outcome.took.items()})
    )


def render() -> None:
    """Write the table into the page."""
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    PAGE.write_text(head + BEGIN + "\n\n" + table(read()) + "\n" + END + rest.split(END)[1])


def table(found: Results) -> str:
    """Faults × phases as Markdown, the sum below, then why cells are open."""
    lines = [f"| fault | {' | '.join(PHASES)} |", f"|---|{'---|' * len(PHASES)}"]
    for fault in FAULTS:
        cells = (_cell(found.get((fault.name, phase)), has_case=phase in fault.cases) for phase in PHASES)
        lines.append(f"| {fault.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_sum(found), "", *_sentences(), ""])


def _cell(entry: dict[str, Any] | None, *, has_case: bool) -> str:
    if not has_case:
        return ""
    if entry is None:
        return "not run"
    return "**fails**" if entry["problems"] else f"ok {entry['code']}"


def _sum(found: Results) -> Iterator[str]:
    ran = {
        cell: entry for cell, entry in found.items() if any(cell[0] == f.name and cell[1] in f.cases for f in FAULTS)
    }
    cases = sum(len(fault.cases) for fault in FAULTS)
    passed = [entry for entry in ran.values() if not entry["problems"]]
    dates = sorted({entry["date"] for entry in ran.values()})
    when = f", {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "") if dates else ""
    yield (
        f"{cases} cases: {len(passed)} hold, {len(ran) - len(passed)} fail, {cases - len(ran)} not run{when}."
        f" {sum(entry['requests'] for entry in ran.values())} requests,"
        f" {sum(entry['failed'] for entry in ran.values())} of them failed that must not,"
        f" {sum(entry['spared'] for entry in ran.values())} at a host whose own fault made them fail."
    )
    for (fault, phase), entry in ran.items():
        for problem in entry["problems"]:
            yield f"- {fault} at {phase} fails: {problem}"


def _sentences() -> Iterator[str]:
    yield "| fault | what is done | why cells are open |"
    yield "|---|---|---|"
    for fault in FAULTS:
        reasons = {fault.reason(phase): None for phase in PHASES if phase not in fault.cases}
        yield f"| {fault.name} | {fault.sentence} | {'; '.join(reasons)} |"
