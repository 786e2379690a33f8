"""The timeline of the last deploy as a chart of characters."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kamal_pyinfra.cli.output import cut, duration
from kamal_pyinfra.runner.progress.timeline import HERE, Load, PhaseTime, Span, Timeline
from kamal_pyinfra.text import one_line

LETTERS = {
    "look": "o",
    "build": "B",
    "prepare": "p",
    "release": "L",
    "boot": "b",
    "switch": "s",
    "watch": "w",
    "retire": "r",
    "revert": "R",
    "finish": "f",
}
COLORS = {
    "look": "white",
    "build": "blue",
    "lock": "bright_black",
    "unlock": "bright_black",
    "prepare": "cyan",
    "release": "bright_cyan",
    "boot": "yellow",
    "switch": "green",
    "watch": "bright_green",
    "retire": "magenta",
    "revert": "red",
    "finish": "bright_blue",
}
LOCK = "l"
HOOK = "h"
NAME_CELLS = 24
THIS_MACHINE = "this machine"


def timeline_lines(timeline: Timeline, load: Load | None, *, width: int) -> list[Text]:
    """The chart, the duration of each phase, and the results of a load, ``width`` cells wide."""
    rows = hosts_of(timeline)
    name = min(NAME_CELLS, max(cell_len(_shown(host)) for host in rows))
    cells = max(10, width - name - 2)
    lines = [Text(cut(title(timeline), width), style="bold"), Text(cut(ending(timeline), width)), Text()]
    lines.append(Text(" " * (name + 2) + _scale(timeline.seconds, cells), style="dim"))
    lines += [_row(host, timeline, name, cells) for host in rows]
    lines += [Text(), _legend(timeline), Text()]
    lines += [Text(cut(line, width)) for line in _table(timeline)]
    if load is not None:
        lines += [Text(), Text(cut(load_line(load), width), style="red" if load.failed else "green")]
    return lines


def title(timeline: Timeline) -> str:
    """``deploy of shop v2, 2026-05-01T10:00:00Z``."""
    return f"{timeline.command} of {timeline.service} {timeline.version}, {timeline.time}"


def ending(timeline: Timeline) -> str:
    """The result and the duration."""
    return f"{timeline.result} after {duration(timeline.seconds)}"


def load_line(load: Load) -> str:
    """``load: 1234 requests served, 0 failed; v1 600, v2 634``."""
    versions = ", ".join(f"{version} {count}" for version, count in load.versions.items())
    text = f"load: {load.total - load.failed} requests served, {load.failed} failed"
    return one_line(f"{text}; {versions}" if versions else text)


def hosts_of(timeline: Timeline) -> list[str]:
    """The rows of a chart: the deploying machine if it did something, then hosts of the plan, then all others."""
    seen = {span.host for span in timeline.spans}
    planned = [host.host for host in timeline.plan.hosts]
    return [*([HERE] if HERE in seen else []), *planned, *sorted(seen - {HERE, *planned})]


def _row(host: str, timeline: Timeline, name: int, cells: int) -> Text:
    row = Text(f"{set_cell_size(cut(_shown(host), name), name)}  ")
    drawn: list[Span | None] = [None] * cells
    for span in (span for span in timeline.spans if span.host == host):
        first, last = _place(span, timeline.seconds, cells)
        drawn[first:last] = [span] * (last - first)
    for cell in drawn:
        row.append(*(_cell(cell) if cell else ("·", "bright_black")))
    return row


def _place(span: Span, seconds: float, cells: int) -> tuple[int, int]:
    scale = cells / (seconds or 1.0)
    first = min(cells - 1, int(span.began * scale))
    return first, min(cells, max(first + 1, round(span.ended * scale)))


def _cell(span: Span) -> tuple[str, str]:
    color = COLORS.get(span.phase, "white")
    return ("✗", "bold red") if not span.succeeded else (letter(span.phase), f"black on {color}")


def letter(phase: str) -> str:
    """The letter for a phase in the chart."""
    return LOCK if phase in ("lock", "unlock") else LETTERS.get(phase, HOOK)


def _scale(seconds: float, cells: int) -> str:
    middle, end = f"{seconds / 2:.1f} s", f"{seconds:.1f} s"
    half = cells // 2
    return f"{'0':<{half}}{middle}".ljust(cells - len(end))[: cells - len(end)] + end


def _legend(timeline: Timeline) -> Text:
    phases = list(dict.fromkeys(phase.phase for phase in timeline.phases))
    shown = dict.fromkeys((letter(phase), "lock" if letter(phase) == LOCK else phase) for phase in phases)
    return Text("  ".join(f"{mark} {phase}" for mark, phase in shown), style="dim")


def _table(timeline: Timeline) -> Iterator[str]:
    wide = max(len(phase.phase) for phase in timeline.phases)
    long = max(len(duration(phase.seconds)) for phase in timeline.phases)
    has_batches = max(phase.batch for phase in timeline.phases) > 1
    for phase in timeline.phases:
        batch = f"batch {phase.batch}" if phase.batch and has_batches else ""
        words = ", ".join(filter(None, (batch, "" if phase.succeeded else "failed", _slowest(timeline, phase))))
        yield f"{phase.phase:<{wide}}  {phase.began:6.1f} s  {duration(phase.seconds):>{long}}  {words}".rstrip()


def _slowest(timeline: Timeline, phase: PhaseTime) -> str:
    """The slowest operation of a phase, and its host."""
    end = phase.began + phase.seconds
    within = [span for span in timeline.spans if span.phase == phase.phase and phase.began <= span.began <= end]
    slowest = max(within, key=lambda span: span.ended - span.began, default=None)
    if slowest is None or not slowest.operation:
        return ""
    return f"{slowest.operation} on {slowest.host} {duration(slowest.ended - slowest.began)}"


def _shown(host: str) -> str:
    return host or THIS_MACHINE
