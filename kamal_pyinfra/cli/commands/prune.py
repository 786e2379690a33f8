"""``kp prune``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, example
from kamal_pyinfra.cli.task import add_commands, confirm_row, row, run_row, yes_option

ALL = "Remove surplus containers, the images that only these used, and leftover cords and assets."
CONTAINERS = "Remove stopped containers beyond those to keep, and leftover cords and assets."
IMAGES = "Remove images of the app that no container uses, and those that lost their tag."
RETAINING = {
    "all": (ALL, "kp prune all --retain 2"),
    "containers": (CONTAINERS, "kp prune containers --retain 2"),
}
retain_option = click.option(
    "--retain", type=int, metavar="N", help="Stopped containers to keep of each role [default: retain_containers]."
)


@click.group()
@example("kp prune all")
def prune() -> None:
    """Remove what is neither in service nor kept for a rollback."""


def _prune(options: Options, name: str, retain: int | None) -> None:
    run = options.run_without_version("prune")
    from kamal_pyinfra.runner.tasks import retained

    run_row(options, row(name, retain=retained(run, retain)), run, run.hosts)


add_commands(prune, RETAINING, _prune, retain_option)
add_commands(prune, {"images": (IMAGES, "kp prune images")})


@prune.command()
@yes_option
@changing_options
@example("kp prune accessories")
def accessories(options: Options, is_confirmed: bool) -> None:
    """Remove accessories that left the configuration; their data stays."""
    run = options.run_without_version("prune")
    from kamal_pyinfra.runner.tasks import accessory_run

    run, task = accessory_run(run, (), "remove"), row("prune accessories")
    question = "" if is_confirmed else "Remove them from these hosts?"
    if confirm_row(options, task, run, run.hosts, question):
        run_row(options, task, run, run.hosts)
