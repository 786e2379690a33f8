"""``kp app``: start, stop, remove, versions, logs."""

from __future__ import annotations

from copy import copy
from typing import Any

import click

from kamal_pyinfra.cli.commands.exec import execute
from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.group import KamalGroup
from kamal_pyinfra.cli.logs import follow_logs, log_filter, log_options, print_logs
from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.cli.output import say
from kamal_pyinfra.cli.task import carry_out
from kamal_pyinfra.config.secrets import require_secrets


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

    require_secrets(asked.config)
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
    carry_out(options, "app start", version=options.version)


@click.command()
@changing_options
def stop(options: Options) -> None:
    """Take the app out of service: drain and stop all its containers.

    \b
    Example:
      kp app stop -h web1
    """
    carry_out(options, "app stop")


@click.command("stale_containers")
@click.option("-s", "--stop", "stops", is_flag=True, help="Drain and stop them.")
@changing_options
def stale_containers(options: Options, stops: bool) -> None:
    """Show containers that run beside the version in service, or stop them.

    \b
    Example:
      kp app stale_containers --stop
    """
    if stops:
        carry_out(options, "app stale_containers")
        return
    run, target = options.run_without_version("app")

    from kamal_pyinfra.runner.tasks import stale

    found = stale(run, target.hosts)
    for host, container, version in found:
        say(f"{host}  {container}  version {version} runs beside the one in service")
    say("`kp app stale_containers --stop` stops them" if found else "No stale containers")


@click.command()
@changing_options
def remove(options: Options) -> None:
    """Stop and remove the app's containers, and its images that nobody else uses.

    \b
    Example:
      kp app remove -d staging
    """
    carry_out(options, "app remove")


@click.command("remove_container", hidden=True)
@click.argument("version_argument", metavar="VERSION")
@changing_options
def remove_container(options: Options, version_argument: str) -> None:
    """Remove the stopped containers of VERSION.

    \b
    Example:
      kp app remove_container 9f2c1ab
    """
    carry_out(options, "app remove_container", version=version_argument)


@click.command("remove_containers", hidden=True)
@changing_options
def remove_containers(options: Options) -> None:
    """Remove all stopped containers of the app.

    \b
    Example:
      kp app remove_containers
    """
    carry_out(options, "app remove_containers")


@click.command("remove_images", hidden=True)
@changing_options
def remove_images(options: Options) -> None:
    """Remove the app's images that no container uses.

    \b
    Example:
      kp app remove_images
    """
    carry_out(options, "app remove_images")


@click.group(cls=KamalGroup)
def app() -> None:
    """Look after the app on its hosts.

    \b
    Example:
      kp app version
    """


for command in (
    *(boot, start, stop, stale_containers),
    *(execute, remove, remove_container, remove_containers, remove_images),
):
    app.add_command(command)


@app.command()
@common_options
def version(options: Options) -> None:
    """Print the version that runs on each host, by role.

    \b
    Example:
      kp app version
    """
    run, target = options.run("app", version=options.version or "unknown")

    from kamal_pyinfra.runner.queries.observe import observe, running_versions

    for host, observed in observe(run, target.hosts).items():
        for role, versions in running_versions(run, observed).items() or {"-": ["none"]}.items():
            say(f"{host}  {role}  {' '.join(versions)}")


@app.command()
@common_options
def details(options: Options) -> None:
    """Show the app's containers on each host with their health.

    \b
    Example:
      kp app details -r web
    """
    print_details(options)


@app.command()
@common_options
def containers(options: Options) -> None:
    """Show the app's containers on each host, running or not.

    \b
    Example:
      kp app containers
    """
    print_details(options)


@app.command()
@common_options
def images(options: Options) -> None:
    """Show the app's images on each host.

    \b
    Example:
      kp app images
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.runner.queries.observe import observe

    for host, observed in observe(run, target.hosts).items():
        ours = [each for each in observed.images if each.reference.rpartition(":")[0] == run.config.repository]
        for image in sorted(ours, key=lambda each: each.reference):
            say(f"{host}  {image.reference}  {image.id.removeprefix('sha256:')[:12]}")
        if not ours:
            say(f"{host}  none")


@app.command()
@log_options
@common_options
def logs(options: Options, follows: bool, as_json: bool, **chosen: Any) -> None:
    """Show what the app's containers wrote last, or follow all of them at once.

    \b
    Example:
      kp app logs -n 20 -g ERROR
      kp app logs -f -r web
    """
    run, target = options.run_without_version("app")

    from kamal_pyinfra.runner.queries.logs import app_listings
    from kamal_pyinfra.runner.queries.logs import logs as read_logs

    wanted = log_filter(**chosen)
    if follows:
        follow_logs(run, app_listings(run, target.hosts), wanted, as_json=as_json)
    else:
        print_logs(read_logs(run, target.hosts, wanted), as_json=as_json)


all_logs = copy(logs)

all_logs.help = """Show what the app's containers wrote last, or follow all of them at once, as `kp app logs`.

\b
Example:
  kp logs -f -g ERROR
"""
