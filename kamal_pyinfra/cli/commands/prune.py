"""``kp prune``, ``remove``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.confirm import is_wanted, yes_option
from kamal_pyinfra.cli.options import Options, changing_options

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


@prune.command("all")
@retain_option
@changing_options
def everything(options: Options, retain: int | None) -> None:
    """Remove surplus containers, the images that only these used, and leftover cords and assets.

    \b
    Example:
      kp prune all --retain 2
    """
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import everything as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report, retain=retain)


@prune.command()
@retain_option
@changing_options
def containers(options: Options, retain: int | None) -> None:
    """Remove stopped containers beyond those to keep, and leftover cords and assets.

    \b
    Example:
      kp prune containers --retain 2
    """
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import containers as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report, retain=retain)


@prune.command()
@changing_options
def images(options: Options) -> None:
    """Remove images of the app that no container uses, and those that lost their tag.

    \b
    Example:
      kp prune images
    """
    run, target = options.run_without_version("prune")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import images as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


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

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.accessory import accessory_run, pruning
    from kamal_pyinfra.runner.tasks import carry_out, preview

    run, task = accessory_run(run, (), "remove"), pruning()
    plan = preview(run, target.hosts, task.decide)
    if is_wanted(options, plan, "Remove them from these hosts?", is_confirmed=is_confirmed):
        with report_for(options) as report:
            carry_out(run, target.hosts, report, task)


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

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import preview_removal
    from kamal_pyinfra.runner.host_tasks import remove as carry_out

    plan = preview_removal(run, target.hosts, purges=purge)
    if is_wanted(options, plan, "Remove all of this?", is_confirmed=is_confirmed):
        with report_for(options) as report:
            carry_out(run, target.hosts, report, purges=purge)
