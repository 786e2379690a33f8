"""kp app remove, and its parts."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options


@click.command()
@changing_options
def remove(options: Options) -> None:
    """Stop and remove the app's containers, and its images that nobody else uses.

    \b
    Example:
      kp app remove -d staging
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import remove as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


@click.command("remove_container", hidden=True)
@click.argument("version_argument", metavar="VERSION")
@changing_options
def remove_container(options: Options, version_argument: str) -> None:
    """Remove the stopped containers of VERSION.

    \b
    Example:
      kp app remove_container 9f2c1ab
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import remove_container as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report, version=version_argument)


@click.command("remove_containers", hidden=True)
@changing_options
def remove_containers(options: Options) -> None:
    """Remove all stopped containers of the app.

    \b
    Example:
      kp app remove_containers
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import remove_containers as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


@click.command("remove_images", hidden=True)
@changing_options
def remove_images(options: Options) -> None:
    """Remove the app's images that no container uses.

    \b
    Example:
      kp app remove_images
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import remove_images as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)
