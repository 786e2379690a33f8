"""The live view as lines of text for a terminal of any size; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kamal_pyinfra.cli.views.fleet import BUSY, FAILED, THROUGH, WAITS, Fleet, HostLine
from kamal_pyinfra.cli.views.words import duration
from kamal_pyinfra.text import one_line

SIGNS = {WAITS: "·", BUSY: "▸", THROUGH: "✓", FAILED: "✗"}
STYLES = {WAITS: "dim", BUSY: "cyan", THROUGH: "green", FAILED: "bold red"}
WORDS = {WAITS: "waiting", BUSY: "at work", THROUGH: "through", FAILED: "failed"}
NAME_CELLS = 30
NAMED = 10
"""Hosts that are shown by name when not all can be."""


def frame(fleet: Fleet, now: float, *, width: int, rows: int) -> list[Text]:
    """The fleet at a moment.

    With more hosts than rows only those are shown that failed or have been at it for longest; all others are
    counted.

    Args:
        fleet: what is known.
        now: seconds since the run began.
        width: cells of the terminal.
        rows: lines that may be used.
    """
    lines = list(fleet.lines.values())
    if len(lines) > rows - 1:
        return [_head(fleet, now, width), *_folded(lines, now, width, rows - 1)]
    return [_head(fleet, now, width), *_hosts(lines, now, width)]


def _head(fleet: Fleet, now: float, width: int) -> Text:
    parts = (fleet.title, fleet.phase, fleet.batch, fleet.gate, duration(now), one_line(fleet.here))
    return Text(_cut(" · ".join(part for part in parts if part), width), style="bold")


def _hosts(lines: list[HostLine], now: float, width: int) -> Iterator[Text]:
    name = min(NAME_CELLS, max((cell_len(each.host) for each in lines), default=0))
    phase = max((len(each.phase) for each in lines), default=0)
    for line in lines:
        yield _host(line, now, name, phase, width)


def _host(line: HostLine, now: float, name: int, phase: int, width: int) -> Text:
    doing = line.doing or {THROUGH: "waits for the other hosts", WAITS: "waits for its turn"}.get(line.state, "")
    took = duration(max(0.0, now - line.since)) if line.state in (BUSY, THROUGH) else ""
    text = f"{SIGNS[line.state]} {_wide(line.host, name)}  {line.phase:<{phase}}  {took:>11}  {one_line(doing)}"
    return Text(_cut(text.rstrip(), width), style=STYLES[line.state])


def _folded(lines: list[HostLine], now: float, width: int, rows: int) -> Iterator[Text]:
    counts = Counter((line.state, line.phase) for line in lines)
    order = sorted(counts, key=lambda key: (list(SIGNS).index(key[0]), key[1]), reverse=True)
    totals = [
        Text(_cut(_total(state, phase, counts[state, phase]), width), style=STYLES[state]) for state, phase in order
    ][: max(1, rows // 2)]
    yield from totals
    urgent = sorted(
        (line for line in lines if line.state in (FAILED, BUSY)), key=lambda line: (line.state != FAILED, line.since)
    )
    yield from _hosts(urgent[: min(NAMED, max(0, rows - len(totals)))], now, width)


def _total(state: str, phase: str, count: int) -> str:
    hosts = "1 host" if count == 1 else f"{count} hosts"
    return f"{SIGNS[state]} {hosts} {WORDS[state]}{f' ({phase})' if phase else ''}"


def _wide(text: str, cells: int) -> str:
    return set_cell_size(_cut(text, cells), cells)


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"
