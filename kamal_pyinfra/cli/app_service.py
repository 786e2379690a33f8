"""kp app boot, start, stop and stale_containers."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.say import say


@click.command()
@changing_options
def boot(options: Options) -> None:
    """Put containers of the version in service, or of --version, into service as configured; nothing is built.

    \b
    Example:
      kp app boot
      kp app boot --version 9f2c1ab
    """
    asked, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.deploy import deploy
    from kamal_pyinfra.runner.tasks import in_service

    asked.config.require_secrets()
    version = options.version or in_service(asked, target.hosts)
    run, target = options.run("app", version=version, is_build_allowed=False)
    with report_for(options, run) as report:
        deploy(run, target.hosts, report)


@click.command()
@changing_options
def start(options: Options) -> None:
    """Start the containers that were in service last, as they are, and wait until they serve.

    \b
    Example:
      kp app start -h web1
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import start as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report, version=options.version)


@click.command()
@changing_options
def stop(options: Options) -> None:
    """Take the app out of service: drain and stop all its containers.

    \b
    Example:
      kp app stop -h web1
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import stop as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


@click.command("stale_containers")
@click.option("-s", "--stop", "stops", is_flag=True, help="Drain and stop them.")
@changing_options
def stale_containers(options: Options, stops: bool) -> None:
    """Show containers that run beside the version in service, or stop them.

    \b
    Example:
      kp app stale_containers --stop
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import stale, stop_stale

    if stops:
        with report_for(options) as report:
            stop_stale(run, target.hosts, report)
        return
    found = stale(run, target.hosts)
    for host, container, version in found:
        say(f"{host}  {container}  version {version} runs beside the one in service")
    say("`kp app stale_containers --stop` stops them" if found else "No stale containers")
