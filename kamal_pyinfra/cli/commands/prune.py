"""``kp prune``, ``remove``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.confirm import yes_option
from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.task import carry_out, is_confirmed_for, row, run_row

retain_option = click.option(
    "--retain", type=int, metavar="N", help="Stopped containers to keep of each role [default: retain_containers]."
)


@click.group()
def prune() -> None:
    """Remove what nobody needs beside what is in service.

    \b
    Example:
      kp prune all
    """


def _prune(options: Options, name: str, retain: int | None) -> None:
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import retained, run_task

    with report_for(options) as report:
        run_task(row(name, retain=retained(run, retain)), run, target.hosts, report)


@prune.command("all")
@retain_option
@changing_options
def everything(options: Options, retain: int | None) -> None:
    """Remove surplus containers, the images that only these used, and leftover cords and assets.

    \b
    Example:
      kp prune all --retain 2
    """
    _prune(options, "prune all", retain)


@prune.command()
@retain_option
@changing_options
def containers(options: Options, retain: int | None) -> None:
    """Remove stopped containers beyond those to keep, and leftover cords and assets.

    \b
    Example:
      kp prune containers --retain 2
    """
    _prune(options, "prune containers", retain)


@prune.command()
@changing_options
def images(options: Options) -> None:
    """Remove images of the app that no container uses, and those that lost their tag.

    \b
    Example:
      kp prune images
    """
    carry_out(options, "prune images")


@prune.command()
@yes_option
@changing_options
def accessories(options: Options, is_confirmed: bool) -> None:
    """Remove accessories that left the configuration; their data stays.

    \b
    Example:
      kp prune accessories
    """
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.runner.tasks import accessory_run

    run, task = accessory_run(run, (), "remove"), row("prune accessories")
    if is_confirmed_for(options, task, run, target.hosts, is_confirmed=is_confirmed):
        run_row(options, task, run, target.hosts)


@click.command()
@click.option("--purge", is_flag=True, help="Remove the audit log too, and folders that are empty then.")
@yes_option
@changing_options
def remove(options: Options, purge: bool, is_confirmed: bool) -> None:
    """Remove the app, its images and secrets, and the proxy unless another service uses it.

    \b
    Example:
      kp remove
      kp remove -y --purge
    """
    run, target = options.run_without_version("remove")
    if is_confirmed_for(options, row("remove", purges=purge), run, target.hosts, is_confirmed=is_confirmed):
        run_row(options, row("remove"), run, target.hosts, purges=purge)
