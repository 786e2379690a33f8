"""A view that is redrawn on a terminal: one line per host."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from kamal_pyinfra.cli.say import printable
from kamal_pyinfra.cli.views.fleet import Fleet
from kamal_pyinfra.cli.views.frame import frame
from kamal_pyinfra.cli.views.plain import PlainView
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.text import one_line

FIRST_LINES = 3
"""Why a container is not taken for ready, what its health check said, and the heading of its log."""
MOST_LAST_LINES = 12
ROWS_BESIDE = 12
"""Of the terminal: for the frame itself, its first lines, and what follows it."""
SPARE_ROWS = 2
REDRAW_SECONDS = 0.1
QUIET = (events.OperationEnded, events.HostFinished)
"""Events that the table itself shows."""


class LiveView:
    """Lines of the plain view scroll by above; below is the fleet as it is now.

    Args:
        console: where it is drawn.
        verbose: also the output of the build.
    """

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self.console = console
        self.verbose = verbose
        self.fleet = Fleet()
        self.plain = PlainView(verbose=verbose, echo=self._print)
        self.offset = self.drawn_at = 0.0
        self.live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=True)

    def __call__(self, event: events.AnyEvent) -> None:
        """Show an event."""
        self.offset = time.monotonic() - event.at
        self.fleet.note(event)
        match event:
            case events.PlanMade(plan=plan) if any(host.changes for host in plan.hosts):
                self.live.start()
            case events.Failed():
                self._frame_failure(event)
            case events.RunEnded():
                self.stop()
        if not isinstance(event, QUIET) or self.verbose:
            self.plain(event)
        if self.live.is_started and time.monotonic() - self.drawn_at > REDRAW_SECONDS:
            self.live.refresh()  # else the next redraw shows it; a hundred hosts may all speak at once

    def stop(self) -> None:
        """Take the table away; what scrolled by stays."""
        if self.live.is_started:
            self.live.stop()

    def _draw(self) -> Group:
        self.drawn_at = time.monotonic()
        size = self.console.size
        rows = max(3, size.height - SPARE_ROWS)
        return Group(*frame(self.fleet, time.monotonic() - self.offset, width=size.width, rows=rows))

    def _frame_failure(self, event: events.Failed) -> None:
        what = f"{event.phase}: {event.operation}" if event.operation else event.phase
        text = Text(printable("\n".join(self._shortened(event.output))) or "(the host said nothing)")
        panel = Panel(
            text, title=Text(one_line(f"{event.host} failed ({what})")), title_align="left", border_style="red"
        )
        self.console.print(panel)

    def _shortened(self, lines: Sequence[str]) -> Sequence[str]:
        """So that the frame can be seen as a whole; a line of a log often takes two rows."""
        last = max(1, min(MOST_LAST_LINES, (self.console.size.height - ROWS_BESIDE) // 2))
        left_out = len(lines) - FIRST_LINES - last
        return [*lines[:FIRST_LINES], f"({left_out} more)", *lines[-last:]] if left_out > 0 else lines

    def _print(self, line: str) -> None:
        self.console.print(Text(printable(line)))
