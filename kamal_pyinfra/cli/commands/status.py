"""``kp status``, ``details``, ``doctor``, ``open``."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options, example, flag
from kamal_pyinfra.cli.output import age, cell, echo, echo_json, table_console
from kamal_pyinfra.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from kamal_pyinfra.insight.doctor import Check
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
    run, target = options.run_without_version("status")

    from kamal_pyinfra.runner.queries.observe import status as show_status

    every = interval if watch else None
    if json:
        show_status(run, target.hosts, lambda rows: _print_json(rows, is_line=watch), every=every)
        return
    from rich.live import Live

    console = table_console()
    if not watch or not console.is_terminal:
        show_status(run, target.hosts, lambda rows: console.print(_table(rows)), every=every)
        return
    with Live(console=console, auto_refresh=False) as live:
        show_status(run, target.hosts, lambda rows: live.update(_table(rows), refresh=True), every=every)


def _print_json(rows: Sequence[StatusRow], *, is_line: bool) -> None:
    values = [asdict(row) for row in rows]
    echo_json(json_module.dumps(values, indent=None if is_line else 2, ensure_ascii=False))


def _table(rows: Sequence[StatusRow]) -> Table:
    from datetime import UTC, datetime

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
    from kamal_pyinfra import naming

    run, target = options.run_of_any_version("details")
    accessories = {naming.accessory_container(run.config, name): name for name in run.config.accessories}
    print_details(run, target.hosts, {naming.PROXY_CONTAINER: "proxy"} | accessories, with_app=True)


def print_details(
    run: Run,
    hosts: Sequence[str],
    others: Mapping[str, str] | None = None,
    *,
    with_app: bool = False,
    heading: str = "role",
) -> None:
    """Print a table with a row for each container of the app, and of others with their names below ``heading``."""
    from rich.table import Table

    from kamal_pyinfra.runner.queries.observe import observe

    table = Table("host", heading, "container", "state", "health", "image", box=None)
    for host, observed in observe(run, hosts).items():
        for each in observed.containers:
            role = each.role if with_app and run.owner.owns(each) else (others or {}).get(each.name)
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
    run, target = options.run_of_any_version("doctor")

    from kamal_pyinfra.runner.queries.doctor import doctor as check

    checks = check(run, target.hosts)
    if json:
        echo_json(json_module.dumps([check.__dict__ for check in checks], indent=2))
    else:
        print_table([check for check in checks if check.verdict != "ok"] if options.quiet else checks)
    if any(check.verdict == "fail" for check in checks):
        click.get_current_context().exit(1)


def print_table(checks: Sequence[Check]) -> None:
    """Print a row for each check, with the way out below what is not as it should be."""
    from rich.table import Table
    from rich.text import Text

    table = Table("host", "check", "", "found", box=None, pad_edge=False)
    previous = ""
    for check in checks:
        found = Text(check.message)
        if check.way_out:
            found.append(f"\n→ {check.way_out}", style="bold")
        verdict = Text(check.verdict, style=VERDICTS[check.verdict])
        table.add_row(Text(check.host if check.host != previous else ""), check.name, verdict, found)
        previous = check.host
    table_console().print(table)


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
    for url in found:
        echo(url)
    if not only_prints and sys.stdout.isatty():
        click.launch(found[0])
