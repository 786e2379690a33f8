"""``kp history``, ``audit``, ``timeline``."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kamal_pyinfra.cli.options import Options, common_options, example, flag
from kamal_pyinfra.cli.output import cell, duration, echo, echo_json, table_console
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.redactor import redacted

if TYPE_CHECKING:
    from kamal_pyinfra.runner.progress.timeline import Load

LINES = 5000  # of each audit log that are read; a deploy leaves about ten on a host
LOAD = "JSON report of a load that ran meanwhile; its requests are counted too."


def _last(number: int, of: str) -> Callable[[Any], Any]:
    """Return the option for how many are shown."""
    settings: dict[str, Any] = {"default": number, "show_default": True, "metavar": "N", "help": f"Last N {of}."}
    return click.option("-n", "--lines", type=click.IntRange(min=1), **settings)


@click.command()
@_last(20, "deploys")
@flag("--json", help="Print the deploys as JSON.")
@common_options
@example("kp history", "kp history -n 5 --json")
def history(options: Options, lines: int, json: bool) -> None:
    """Show who deployed what and when, how long it took and how it ended; deploys by Kamal too."""
    run = options.run_without_version("history")
    from rich.table import Table

    from kamal_pyinfra.insight.history import FINISHED
    from kamal_pyinfra.insight.history import history as deploys_of
    from kamal_pyinfra.runner.queries.logs import audit_lines

    found = deploys_of(audit_lines(run, run.hosts, lines=LINES))[:lines]
    if json:
        echo_json(dumps([each.as_json() for each in found], indent=2, ensure_ascii=False))
    elif found:
        table = Table("when (UTC)", "who", "version", "took", "result", "what", box=None, pad_edge=False)
        table.columns[0].no_wrap = table.columns[3].no_wrap = True
        for each in found:
            what = ", ".join(filter(None, (each.command or "by Kamal, or killed", each.where, each.summary)))
            result = cell(each.result.lower(), "" if each.result == FINISHED else "red")
            texts = (each.at[:16].replace("T", " "), each.by, each.version, duration(each.seconds))
            table.add_row(*map(cell, texts), result, cell(what))
        table_console().print(table)
    else:
        echo("Nothing was deployed yet")


@click.command()
@_last(50, "lines")
@common_options
@example("kp audit -n 10")
def audit(options: Options, lines: int) -> None:
    """Show what was done to the service on each host, by whom and when."""
    run = options.run_without_version("audit")
    from kamal_pyinfra.runner.queries.logs import audit_lines

    for host, found in audit_lines(run, run.hosts, lines=lines).items():
        for line in found or ["Nothing was done yet"]:
            echo(f"{host}  {line}")


@click.command()
@click.option("--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write it as one HTML file.")
@click.option("--load", "load_file", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help=LOAD)
@flag("--json", help="Print what .kamal/last-deploy.json holds.")
@common_options
@example("kp timeline", "kp timeline --html deploy.html --load load.json")
def timeline(options: Options, html: str | None, load_file: str | None, json: bool) -> None:
    """Show what each host did, and when, in the last deploy from this machine."""
    from kamal_pyinfra.cli.report import read_last_deploy
    from kamal_pyinfra.cli.views.timeline import timeline_html, timeline_lines

    found = read_last_deploy(options.config().source.root)
    load = _load(Path(load_file)) if load_file else None
    if html is not None:
        try:
            Path(html).write_text(redacted(timeline_html(found, load)), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{html}: {error.strerror}") from None
        echo(f"Wrote {html}")
    elif json:
        echo_json(found.model_dump_json(indent=2))
    else:
        console = table_console()
        for line in timeline_lines(found, load, width=console.width):
            console.print(line, soft_wrap=True)


def _load(file: Path) -> Load:
    from pydantic import ValidationError

    from kamal_pyinfra.runner.progress.timeline import Load

    try:
        return Load.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            ": ".join((str(file), *filter(None, (".".join(map(str, first["loc"])), first["msg"]))))
        ) from None
