"""``kp history``, ``audit``, ``timeline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.output import say, say_json, table_console
from kamal_pyinfra.redactor import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from kamal_pyinfra.insight.history import Deployed
    from kamal_pyinfra.runner.progress.timeline import Load

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
    from kamal_pyinfra.cli.output import duration

    return duration(seconds)


AUDIT_LINES = 50


@click.command()
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=1),
    default=AUDIT_LINES,
    show_default=True,
    metavar="N",
    help="Last N lines.",
)
@common_options
def audit(options: Options, lines: int) -> None:
    """Show what was done to the service on each host, by whom and when.

    \b
    Example:
      kp audit -n 10
    """
    run, target = options.run_without_version("audit")

    from kamal_pyinfra.runner.queries.logs import audit_lines

    for host, found in audit_lines(run, target.hosts, lines=lines).items():
        for line in found or ["Nothing was done yet"]:
            say(f"{host}  {line}")


@click.command()
@click.option("--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write it as one HTML file.")
@click.option(
    "--load",
    "load_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Report of a load that ran meanwhile, as JSON: its requests are counted too.",
)
@click.option("--json", is_flag=True, help="Print what .kamal/last-deploy.json holds.")
@common_options
def timeline(options: Options, html: str | None, load_file: str | None, json: bool) -> None:
    """Show what each host did when in the last deploy from this machine.

    \b
    Example:
      kp timeline
      kp timeline --html deploy.html --load load.json
    """
    from kamal_pyinfra.cli.last_deploy import read_last_deploy

    found = read_last_deploy(options.config().root)
    load = _load(load_file)
    if html is not None:
        from kamal_pyinfra.cli.views.timeline_html import timeline_html
        from kamal_pyinfra.errors import ConfigError

        try:
            Path(html).write_text(redacted(timeline_html(found, load)), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{html}: {error.strerror}") from None
        say(f"Wrote {html}")
    elif json:
        say_json(found.model_dump_json(indent=2))
    else:
        from kamal_pyinfra.cli.views.timeline_text import timeline_lines

        console = table_console()
        for line in timeline_lines(found, load, width=console.width):
            console.print(line, soft_wrap=True)


def _load(file: str | None) -> Load | None:
    if file is None:
        return None
    from pydantic import ValidationError

    from kamal_pyinfra.errors import ConfigError
    from kamal_pyinfra.runner.progress.timeline import Load

    try:
        return Load.model_validate_json(Path(file).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {f'{where}: ' if where else ''}{first['msg']}") from None
