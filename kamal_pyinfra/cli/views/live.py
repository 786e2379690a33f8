"""The live view: one line per host."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from kamal_pyinfra.cli.output import cut, duration, printable
from kamal_pyinfra.cli.views.plain import PlainView
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.text import one_line

WAITS, BUSY, THROUGH, FAILED = "waits", "busy", "through", "failed"
STATES = {
    WAITS: ("·", "dim", "waiting", "waits for its turn"),
    BUSY: ("▸", "cyan", "at work", ""),
    THROUGH: ("✓", "green", "through", "waits for the other hosts"),
    FAILED: ("✗", "bold red", "failed", ""),
}
"""Sign, style, word, and what a host does that has no operation to show; the most urgent state last."""
NAME_CELLS = 30
NAMED = 10  # hosts that are shown by name when not all can be
FIRST_LINES = 3  # why a container is not ready, the output of its health check, and the heading of its log
MOST_LAST_LINES = 12
OTHER_ROWS = 12  # of the terminal: for the frame itself, its first lines, and what follows it
SPARE_ROWS = 2
REDRAW_SECONDS = 0.1
QUIET = (events.OperationEnded, events.HostFinished)  # the table itself shows them


@dataclass
class HostLine:
    """The state of one host: ``since`` is when it began, in seconds of the run."""

    host: str
    phase: str = ""
    doing: str = ""
    state: str = WAITS
    since: float = 0.0


@dataclass
class RunProgress:
    """The state of all hosts of a run, and the last ``output`` on the deploying machine."""

    title: str = ""
    phase: str = ""
    batch: str = ""
    gate: str = ""
    operation: str = ""
    output: str = ""
    lines: dict[str, HostLine] = field(default_factory=dict)
    active: tuple[str, ...] = ()

    def note(self, event: events.AnyEvent) -> None:
        """Update the state from an event."""
        match event:
            case events.PlanMade(plan=plan):
                self.title = " ".join(filter(None, (plan.command, plan.service, plan.version)))
                self.lines = {host.host: HostLine(host.host) for host in plan.hosts}
            case events.BatchStarted(number=number, of=of):
                self.batch, self.gate = (f"batch {number}/{of}" if of > 1 else ""), ""
            case events.PhaseStarted(phase=phase, hosts=hosts):
                self._phase_began(event.at, phase, hosts)
            case events.OperationStarted(operation=operation):
                self.operation = operation
                self._set(event.at, self.active, BUSY, operation)
            case events.HostFinished(host=host, operation=operation, succeeded=succeeded):
                self._set(event.at, [host], *((THROUGH, "") if succeeded else (FAILED, operation)))
            case events.Waiting(host=host, what=doing) if host in self.lines:
                self.lines[host].doing = doing
            case events.PullProgress(host=host, layers=layers, of=of) if host in self.lines:
                self.lines[host].doing = f"{self.operation}: {layers}/{of} layers"
            case events.Gate(passed=passed):
                self.gate = "gate passed" if passed else "gate closed"
            case events.Output(line=printed):
                self.output = printed
            case events.PhaseEnded():
                self._set(event.at, self.active, WAITS, "")

    def _phase_began(self, at: float, phase: str, hosts: list[str]) -> None:
        self.phase, self.active, self.output = phase, tuple(hosts), ""
        for host in hosts:
            if host not in self.lines or self.lines[host].state != FAILED or phase == "revert":
                self.lines[host] = HostLine(host, phase, state=BUSY, since=at)

    def _set(self, at: float, hosts: Iterable[str], state: str, doing: str) -> None:
        for line in (self.lines[host] for host in hosts if host in self.lines):
            if line.state != FAILED:
                # A host is busy from the start of its phase; operations with nothing to do there are over at once.
                line.since = at if (line.state, state) in ((BUSY, WAITS), (THROUGH, WAITS)) else line.since
                line.state, line.doing = state, doing


def frame(progress: RunProgress, now: float, *, width: int, rows: int) -> list[Text]:
    """Return the lines of the view, ``now`` seconds after the run began.

    With more hosts than rows, those that failed or have been busy longest have a line, and all others are counted.
    """
    parts = (progress.title, progress.phase, progress.batch, progress.gate, duration(now), one_line(progress.output))
    head = Text(cut(" · ".join(filter(None, parts)), width), style="bold")
    lines = list(progress.lines.values())
    shown = _folded(lines, now, width, rows - 1) if len(lines) > rows - 1 else _hosts(lines, now, width)
    return [head, *shown]


def _hosts(lines: list[HostLine], now: float, width: int) -> Iterator[Text]:
    name = min(NAME_CELLS, max((cell_len(line.host) for line in lines), default=0))
    phase = max((len(line.phase) for line in lines), default=0)
    for line in lines:
        sign, style, _, waits = STATES[line.state]
        took = duration(max(0.0, now - line.since)) if line.state in (BUSY, THROUGH) else ""
        host = set_cell_size(cut(line.host, name), name)
        text = f"{sign} {host}  {line.phase:<{phase}}  {took:>11}  {one_line(line.doing or waits)}"
        yield Text(cut(text.rstrip(), width), style=style)


def _folded(lines: list[HostLine], now: float, width: int, rows: int) -> Iterator[Text]:
    counts = Counter((line.state, line.phase) for line in lines)
    order = sorted(counts, key=lambda key: (list(STATES).index(key[0]), key[1]), reverse=True)[: max(1, rows // 2)]
    for state, phase in order:
        sign, style, word, _ = STATES[state]
        count = counts[state, phase]
        text = f"{sign} {count} host{'s' if count > 1 else ''} {word}{f' ({phase})' if phase else ''}"
        yield Text(cut(text, width), style=style)
    urgent = [line for line in lines if line.state in (FAILED, BUSY)]
    urgent.sort(key=lambda line: (line.state != FAILED, line.since))
    yield from _hosts(urgent[: min(NAMED, max(0, rows - len(order)))], now, width)


class LiveView:
    """Print lines of the plain view above a live table of hosts."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self.console = console
        self.progress = RunProgress()
        self.plain = PlainView(verbose=verbose, echo=lambda line: console.print(Text(printable(line))))
        self.offset = self.drawn_at = 0.0
        self.live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __call__(self, event: events.AnyEvent) -> None:
        """Show an event."""
        self.offset = time.monotonic() - event.at
        self.progress.note(event)
        match event:
            case events.PlanMade(plan=plan) if any(host.changes for host in plan.hosts):
                self.live.start()
            case events.Failed():
                self._frame_failure(event)
            case events.RunEnded():
                self.live.stop()  # the lines above the table stay
        if not isinstance(event, QUIET) or self.plain.verbose:
            self.plain(event)
        if self.live.is_started and time.monotonic() - self.drawn_at > REDRAW_SECONDS:
            self.live.refresh()  # else the next redraw shows it; a hundred hosts may print at once

    def _draw(self) -> Group:
        self.drawn_at = time.monotonic()
        size = self.console.size
        rows = max(3, size.height - SPARE_ROWS)
        return Group(*frame(self.progress, time.monotonic() - self.offset, width=size.width, rows=rows))

    def _frame_failure(self, event: events.Failed) -> None:
        """Print what of a host's output fits on the screen with its frame; a line of a log often takes two rows."""
        lines = event.output
        last = max(1, min(MOST_LAST_LINES, (self.console.size.height - OTHER_ROWS) // 2))
        left_out = len(lines) - FIRST_LINES - last
        if left_out > 0:
            lines = [*lines[:FIRST_LINES], f"({left_out} more)", *lines[-last:]]
        what = f"{event.phase}: {event.operation}" if event.operation else event.phase
        title = Text(one_line(f"{event.host} failed ({what})"))
        text = Text(printable("\n".join(lines)) or "(no output)")
        self.console.print(Panel(text, title=title, title_align="left", border_style="red"))
