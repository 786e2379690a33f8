"""How a run looks: a live line per host on a terminal, timestamped lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from kamal_pyinfra.cli.options import Options
from kamal_pyinfra.cli.paint import paint
from kamal_pyinfra.cli.say import cell, say
from kamal_pyinfra.plan.fleet import Plan
from kamal_pyinfra.plan.render import render_text
from kamal_pyinfra.plan.text import sanitized
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.runner.report import Report


class PlainReport:
    """One timestamped line for each thing that happened.

    Args:
        quiet: print nothing but errors.
        verbose: also the output of the build, and operations that changed nothing.
    """

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.phase = ""
        self.phase_began_at = 0.0

    def say(self, text: str) -> None:
        """Print a line unless the user wants quiet."""
        if not self.quiet:
            say(f"{time.strftime('%H:%M:%S')}  {text}")

    def planned(self, plan: Plan) -> None:
        """Print the plan."""
        if not self.quiet:
            paint(render_text(plan, is_whole=self.verbose))

    def phase_began(self, phase: str, hosts: Sequence[str]) -> None:
        """Remember when."""
        self.phase, self.phase_began_at = phase, time.monotonic()

    def operation_began(self, name: str) -> None:
        """Nothing to say before it is over."""

    def host_finished(self, host: str, operation: str, *, succeeded: bool) -> None:
        """Say where it failed at once."""
        if not succeeded:
            self.say(f"{self.phase:<8} {host}: {operation} failed")

    def operation_ended(self, name: str, changed: Sequence[str]) -> None:
        """Say where something changed."""
        if changed or self.verbose:
            self.say(f"{self.phase:<8} {name}: {', '.join(changed) or 'nothing to change'}")

    def phase_ended(self, phase: str, *, succeeded: bool) -> None:
        """Say how long it took."""
        took = time.monotonic() - self.phase_began_at
        self.say(f"{phase:<8} {'done' if succeeded else 'failed'} in {took:.1f} s")

    def output(self, line: str) -> None:
        """Show the build's output only when asked."""
        if self.verbose:
            self.say(f"{self.phase:<8} {line}")

    def warned(self, text: str) -> None:
        """Say it, unless the user wants quiet."""
        self.say(f"{self.phase:<8} {text}")

    def failed(self, failure: HostFailure) -> None:
        """The error message says it all."""

    def finished(self, seconds: float) -> None:
        """Say how long it all took."""
        self.say(f"Finished in {seconds:.1f} s")


class LiveReport(PlainReport):
    """A table that is redrawn: one line per host with its phase, operation and time.

    Args:
        live: where the table is drawn.
        verbose: show the output of the build too.
    """

    def __init__(self, live: Live, *, verbose: bool) -> None:
        super().__init__(quiet=False, verbose=verbose)
        self.live = live
        self.began = time.monotonic()
        self.lines: dict[str, str] = {}
        self.active: set[str] = set()

    def say(self, text: str) -> None:
        """Print above the table."""
        line = f"{time.strftime('%H:%M:%S')}  {sanitized(text)}"
        self.live.console.print(line, markup=False, highlight=False)

    def planned(self, plan: Plan) -> None:
        """Print the plan, then start the table."""
        super().planned(plan)
        if not plan.is_empty:
            self.lines = {host.host: "waiting" for host in plan.hosts}
            self.live.start()
            self.draw()

    def phase_began(self, phase: str, hosts: Sequence[str]) -> None:
        """Show which hosts are in it."""
        super().phase_began(phase, hosts)
        self.active = set(hosts)
        for host in hosts:
            self.lines[host] = phase
        self.draw()

    def operation_began(self, name: str) -> None:
        """Show what the phase's hosts do."""
        for host in self.active:
            self.lines[host] = f"{self.phase}: {name} …"
        self.draw()

    def host_finished(self, host: str, operation: str, *, succeeded: bool) -> None:
        """Show that a host waits for the others."""
        self.lines[host] = f"{self.phase}: {operation} {'✓' if succeeded else '✗'}"
        self.draw()

    def operation_ended(self, name: str, changed: Sequence[str]) -> None:
        """The table has shown it."""

    def draw(self) -> None:
        """Draw the table anew."""
        table = Table(box=None, show_header=False)
        for host, line in self.lines.items():
            table.add_row(cell(host), cell(line))
        table.add_row("", f"{time.monotonic() - self.began:.0f} s")
        self.live.update(table, refresh=True)


@contextmanager
def report_for(options: Options) -> Iterator[Report]:
    """The report that suits where the output goes."""
    if not sys.stdout.isatty() or options.quiet:
        yield PlainReport(quiet=options.quiet, verbose=options.verbose)
        return
    live = Live(console=Console(), auto_refresh=False)
    try:
        yield LiveReport(live, verbose=options.verbose)
    finally:
        live.stop()
