"""kp app …: the group, and questions about the app on its hosts."""

from __future__ import annotations

from copy import copy
from typing import Any

import click

from kamal_pyinfra.cli.app_exec import execute
from kamal_pyinfra.cli.app_remove import remove, remove_container, remove_containers, remove_images
from kamal_pyinfra.cli.app_service import boot, stale_containers, start, stop
from kamal_pyinfra.cli.details import print_details
from kamal_pyinfra.cli.group import KamalGroup
from kamal_pyinfra.cli.log_options import follow_logs, log_filter, log_options, print_logs
from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say


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
