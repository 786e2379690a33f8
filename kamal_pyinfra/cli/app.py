"""kp app …: questions about the app on its hosts."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.details import print_details
from kamal_pyinfra.cli.options import Options, common_options


@click.group()
def app() -> None:
    """Look at the app on its hosts.

    \b
    Example:
      kp app version
    """


@app.command()
@common_options
def version(options: Options) -> None:
    """Print the version that runs on each host, by role.

    \b
    Example:
      kp app version
    """
    run, target = options.run("app", version=options.version or "unknown")

    from kamal_pyinfra.runner.ask import observe, running_versions

    for host, observed in observe(run, target.hosts).items():
        for role, versions in running_versions(run, observed).items() or {"-": ["none"]}.items():
            click.echo(f"{host}  {role}  {' '.join(versions)}")


@app.command()
@common_options
def details(options: Options) -> None:
    """Show the app's containers on each host, running or not.

    \b
    Example:
      kp app details -r web
    """
    print_details(options, with_proxy=False)


@app.command()
@click.option("-s", "--since", metavar="TIME", help="Lines since a time or a duration such as 10m.")
@click.option("-n", "--lines", type=int, metavar="N", help="Last N lines of each container [default: 100].")
@click.option("-g", "--grep", metavar="PATTERN", help="Only lines that match.")
@common_options
def logs(options: Options, since: str | None, lines: int | None, grep: str | None) -> None:
    """Show what the app's containers wrote last.

    \b
    Example:
      kp app logs -n 20 -g ERROR
    """
    run, target = options.run("app", version=options.version or "unknown")

    from kamal_pyinfra.runner.ask import logs as read_logs

    for host, found in read_logs(run, target.hosts, lines=lines, since=since, grep=grep).items():
        for line in found or ["Nothing found"]:
            click.echo(f"{host}  {line}")
