"""kp doctor."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say_json, table_console

if TYPE_CHECKING:
    from kamal_pyinfra.insight.doctor import Check

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
