"""``kp status``, ``details``, ``doctor``, ``open``."""

from __future__ import annotations

import json as json_module
import sys
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.output import age, cell, say, say_json, table_console

if TYPE_CHECKING:
    from rich.table import Table

    from kamal_pyinfra.insight.doctor import Check
    from kamal_pyinfra.insight.status import StatusRow
    from kamal_pyinfra.plan.state.observed import ObservedContainer

STYLES = {"running": "green", "healthy": "green", "starting": "yellow", "": ""}
"""Of states and healths that are as they should be, or may become so."""


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


@click.command()
@common_options
def details(options: Options) -> None:
    """Show the containers of the app, the proxy and the accessories on each host.

    \b
    Example:
      kp details
    """
    print_details(options, command="details", with_proxy=True, with_accessories=True)


def print_details(
    options: Options,
    *,
    command: str = "app",
    with_proxy: bool = False,
    with_app: bool = True,
    with_accessories: bool = False,
) -> None:
    """Print one table with a line for each container."""
    run, target = options.run(command, version=options.version or "unknown")

    from rich.table import Table

    from kamal_pyinfra import naming
    from kamal_pyinfra.plan.desired.host import owner_of
    from kamal_pyinfra.runner.queries.observe import observe

    accessories = {naming.accessory_container(run.config, name): name for name in run.config.accessories}
    parts = ({naming.PROXY_CONTAINER: "proxy"} if with_proxy else {}) | (accessories if with_accessories else {})
    table = Table("host", "role", "container", "state", "health", "image", box=None)
    for host, observed in observe(run, target.hosts).items():
        for seen in observed.containers:
            if (role := seen.role if with_app and owner_of(run).owns(seen) else parts.get(seen.name)) is not None:
                table.add_row(*map(cell, (host, role, *_said_of(seen))))
    table_console().print(table)


def _said_of(container: ObservedContainer) -> tuple[str, ...]:
    return container.name, container.status.value, container.health or "-", container.image


COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", is_flag=True, help="Print the checks as JSON.")
@common_options
def doctor(options: Options, json: bool) -> None:
    """Check that this machine and each host are fit for a deploy; change nothing. Exit 1 if one is not.

    \b
    Example:
      kp doctor
      kp doctor -h 192.0.2.11 --json
    """
    run, target = options.run("doctor", version=options.version or "unknown")

    from kamal_pyinfra.runner.queries.doctor import doctor as examine

    checks = examine(run, target.hosts)
    if json:
        say_json(json_module.dumps([check.__dict__ for check in checks], indent=2))
    else:
        print_table([check for check in checks if check.verdict != "ok"] if options.quiet else checks)
    if any(check.verdict == "fail" for check in checks):
        click.get_current_context().exit(1)


def print_table(checks: list[Check]) -> None:
    """One line for each check, with the way out below what is not as it should be."""
    from rich.table import Table
    from rich.text import Text

    table = Table("host", "check", "", "found", box=None, pad_edge=False)
    previous = ""
    for check in checks:
        found = Text(check.message)
        if check.way_out:
            found.append(f"\n→ {check.way_out}", style="bold")
        verdict = Text(check.verdict, style=COLOURS[check.verdict])
        table.add_row(Text(check.host if check.host != previous else ""), check.name, verdict, found)
        previous = check.host
    table_console().print(table)


@click.command("open")
@click.option("--print", "only_prints", is_flag=True, help="Print all addresses and open none.")
@common_options
def open_app(options: Options, only_prints: bool) -> None:
    """Open the app in the browser; without a terminal, print where it can be reached.

    \b
    Example:
      kp open
      curl "$(kp open --print | head -n 1)"
    """
    from kamal_pyinfra.errors import ConfigError
    from kamal_pyinfra.insight.address import addresses

    found = addresses(options.config())
    if not found:
        raise ConfigError("no role is behind the proxy, so there is nothing to open")
    for url in found:
        say(url)
    if not only_prints and sys.stdout.isatty():
        click.launch(found[0])
