"""kp status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say_json, table_console

if TYPE_CHECKING:
    from datetime import datetime

    from rich.table import Table

    from kamal_pyinfra.insight.status import StatusRow

STYLES = {"running": "green", "healthy": "green", "starting": "yellow", "": ""}
"""Of states and healths that are as they should be, or may become so."""
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@click.command()
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(min=0.5), default=2, show_default=True, help="Seconds between two looks."
)
@click.option("--json", is_flag=True, help="Print the rows as JSON; with --watch one array a line.")
@common_options
def status(options: Options, watch: bool, interval: float, json: bool) -> None:
    """Show what runs on each host, since when, and whether somebody changed it by hand.

    \b
    Example:
      kp status
      kp status --watch
    """
    run, target = options.run_without_version("status")

    from kamal_pyinfra.runner.queries.observe import status as look

    every = interval if watch else None
    if json:
        look(run, target.hosts, lambda rows: _print_json(rows, is_line=watch), every=every)
        return
    from rich.live import Live

    console = table_console()
    if not watch or not console.is_terminal:
        look(run, target.hosts, lambda rows: console.print(_table(rows)), every=every)
        return
    with Live(console=console, auto_refresh=False) as live:
        look(run, target.hosts, lambda rows: live.update(_table(rows), refresh=True), every=every)


def _print_json(rows: tuple[StatusRow, ...], *, is_line: bool) -> None:
    import json

    say_json(json.dumps([row.as_json() for row in rows], indent=None if is_line else 2, ensure_ascii=False))


def _table(rows: tuple[StatusRow, ...]) -> Table:
    from datetime import UTC, datetime

    from rich.table import Table
    from rich.text import Text

    from kamal_pyinfra.text import one_line

    table = Table("host", "role", "version", "state", "health", "routed", "since", "drift", box=None)
    now = datetime.now(UTC)
    for row in rows:
        drift = "\n".join(one_line(cause) for cause in row.drift)
        table.add_row(
            *(Text(one_line(cell)) for cell in (row.host, row.label, row.version)),
            Text(one_line(row.state), style=STYLES.get(row.state, "red")),
            Text(one_line(row.health), style=STYLES.get(row.health, "red")),
            Text(one_line(row.routed), style="" if row.routed in ("", "yes") else "red"),
            Text(age(row.since, now)),
            Text(drift or "no", style="yellow" if drift else ""),
        )
    return table


def age(since: str, now: datetime) -> str:
    """``2026-11-23T10:00:00.123456789Z`` → ``3 h``: the largest unit that fits."""
    if not since:
        return ""
    seconds = (now - type(now).fromisoformat(f"{since[:19]}+00:00")).total_seconds()
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    return f"{max(int(seconds // size), 0)} {unit}"
