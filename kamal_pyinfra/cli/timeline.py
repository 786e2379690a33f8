"""kp timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say, say_json, table_console
from kamal_pyinfra.redactor import redacted

if TYPE_CHECKING:
    from kamal_pyinfra.runner.progress.timeline import Load


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
        from kamal_pyinfra.cli.timeline_html import timeline_html
        from kamal_pyinfra.errors import ConfigError

        try:
            Path(html).write_text(redacted(timeline_html(found, load)), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{html}: {error.strerror}") from None
        say(f"Wrote {html}")
    elif json:
        say_json(found.model_dump_json(indent=2))
    else:
        from kamal_pyinfra.cli.timeline_text import timeline_lines

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
