"""``kp status``, ``details``, ``doctor``, ``open``."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options, example, flag
from kamal_pyinfra.cli.output import age, cell, echo, echo_json, table_console
from kamal_pyinfra.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from kamal_pyinfra.insight.status import StatusRow
    from kamal_pyinfra.plan.run import Run

STYLES = {"running": "green", "healthy": "green", "starting": "yellow", "": ""}
"""Of states and healths that are as they should be, or may become so."""
VERDICTS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@flag("--watch", help="Observe the hosts again and again, until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(min=0.5), default=2, show_default=True, help="Seconds between two snapshots."
)
@flag("--json", help="Print the rows as JSON; with --watch one array a line.")
@common_options
@example("kp status", "kp status --watch")
def status(options: Options, watch: bool, interval: float, json: bool) -> None:
    """Show what runs on each host, since when, and what was changed outside kp."""
    run = options.run_without_version("status")
    from rich.live import Live

    from kamal_pyinfra.runner.queries.observe import status as show_status

    def print_json(rows: Sequence[StatusRow]) -> None:
        values, indent = [asdict(row) for row in rows], None if watch else 2
        echo_json(json_module.dumps(values, indent=indent, ensure_ascii=False))

    every, console = interval if watch else None, table_console()
    if json or not watch or not console.is_terminal:
        show_status(run, run.hosts, print_json if json else lambda rows: console.print(_table(rows)), every=every)
        return
    with Live(console=console, auto_refresh=False) as live:
        show_status(run, run.hosts, lambda rows: live.update(_table(rows), refresh=True), every=every)


def _table(rows: Sequence[StatusRow]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("host", "role", "version", "state", "health", "routed", "since", "drift", box=None)
    now = datetime.now(UTC)
    for row in rows:
        drift = Text("\n".join(map(one_line, row.drift)) or "no", style="yellow" if row.drift else "")
        table.add_row(
            *map(cell, (row.host, row.label, row.version)),
            cell(row.state, STYLES.get(row.state, "red")),
            cell(row.health, STYLES.get(row.health, "red")),
            cell(row.routed, "" if row.routed in ("", "yes") else "red"),
            cell(age(row.since, now)),
            drift,
        )
    return table


@click.command()
@common_options
@example("kp details")
def details(options: Options) -> None:
    """Show the containers of the app, the proxy and the accessories on each host."""
    run = options.run_of_any_version("details")
    print_details(run, with_app=True, with_proxy=True, accessories=run.config.accessories)


def print_details(
    run: Run,
    *,
    with_app: bool = False,
    with_proxy: bool = False,
    accessories: Iterable[str] = (),
    heading: str = "role",
) -> None:
    """Print a table with a row for each container of the app, and of others with their names below ``heading``."""
    from rich.table import Table

    from kamal_pyinfra import naming
    from kamal_pyinfra.runner.queries.observe import observe

    others = {naming.PROXY_CONTAINER: "proxy"} if with_proxy else {}
    others |= {naming.accessory_container(run.config, name): name for name in accessories}
    table = Table("host", heading, "container", "state", "health", "image", box=None)
    for host, observed in observe(run, run.hosts).items():
        for each in observed.containers:
            role = each.role if with_app and run.owner.owns(each) else others.get(each.name)
            if role is not None:
                cells = (host, role, each.name, each.status.value, each.health or "-", each.image)
                table.add_row(*map(cell, cells))
    table_console().print(table)


@click.command()
@flag("--json", help="Print the checks as JSON.")
@common_options
@example("kp doctor", "kp doctor -h 192.0.2.11 --json")
def doctor(options: Options, json: bool) -> None:
    """Check that this machine and each host are ready for a deploy; change nothing. Exit 1 if one is not."""
    run = options.run_of_any_version("doctor")
    from rich.table import Table
    from rich.text import Text

    from kamal_pyinfra.runner.queries.doctor import doctor as check

    checks = check(run, run.hosts)
    table, previous = Table("host", "check", "", "found", box=None, pad_edge=False), ""
    for each in (each for each in checks if each.verdict != "ok" or not options.quiet):
        found = Text(each.message)
        if each.way_out:
            found.append(f"\n→ {each.way_out}", style="bold")
        verdict = Text(each.verdict, style=VERDICTS[each.verdict])
        table.add_row(Text(each.host if each.host != previous else ""), each.name, verdict, found)
        previous = each.host
    if json:
        echo_json(json_module.dumps([check.__dict__ for check in checks], indent=2))
    else:
        table_console().print(table)
    if any(check.verdict == "fail" for check in checks):
        click.get_current_context().exit(1)


@click.command("open")
@flag("--print", "only_prints", help="Print all addresses and open none.")
@common_options
@example("kp open", 'curl "$(kp open --print | head -n 1)"')
def open_app(options: Options, only_prints: bool) -> None:
    """Open the app in the browser; without a terminal, print where it can be reached."""
    from kamal_pyinfra.errors import ConfigError
    from kamal_pyinfra.insight.routed import addresses

    found = addresses(options.config())
    if not found:
        raise ConfigError("no role is behind the proxy, so there is nothing to open")
    echo("\n".join(found))
    if not only_prints and sys.stdout.isatty():
        click.launch(found[0])
