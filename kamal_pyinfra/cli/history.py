"""kp history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say, say_json, table_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from kamal_pyinfra.insight.history import Deployed

SHOWN = 20
LINES = 5000
"""Of each log; a deploy leaves about ten lines on a host."""


@click.command()
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=SHOWN, show_default=True, metavar="N", help="Last N deploys."
)
@click.option("--json", is_flag=True, help="Print the deploys as JSON.")
@common_options
def history(options: Options, lines: int, json: bool) -> None:
    """Show who deployed what and when, how long it took and how it ended; deploys by Kamal too.

    \b
    Example:
      kp history
      kp history -n 5 --json
    """
    run, target = options.run_without_version("history")

    from kamal_pyinfra.insight.history import history as deploys_of
    from kamal_pyinfra.runner.queries.logs import audit_lines

    found = deploys_of(audit_lines(run, target.hosts, lines=LINES))[:lines]
    if json:
        from json import dumps

        say_json(dumps([each.as_json() for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        say("Nothing was deployed yet")
        return
    table_console().print(history_table(found))


def history_table(found: Sequence[Deployed]) -> Table:
    """A row for each deploy."""
    from rich.table import Table
    from rich.text import Text

    from kamal_pyinfra.insight.history import FINISHED
    from kamal_pyinfra.text import one_line

    table = Table("when (UTC)", "who", "version", "took", "result", "what", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[3].no_wrap = True
    for each in found:
        what = ", ".join(filter(None, (each.command or "by Kamal, or killed", each.where, each.summary)))
        cells = (each.at[:16].replace("T", " "), each.by, each.version, _took(each.seconds), each.result.lower(), what)
        style = "" if each.result == FINISHED else "red"
        table.add_row(*(Text(one_line(cell), style=style if cell == cells[4] else "") for cell in cells))
    return table


def _took(seconds: float) -> str:
    from kamal_pyinfra.cli.views.words import duration

    return duration(seconds)
