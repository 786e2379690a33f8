"""kp traefik …"""

from __future__ import annotations

from typing import Any

import click

from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.confirm import yes_option
from kamal_pyinfra.cli.logs import follow_logs, log_filter, log_options, print_logs
from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.cli.task import is_confirmed_for, row, run_row


@click.group()
def traefik() -> None:
    """Look after the proxy, which all services of a host share.

    \b
    Example:
      kp traefik details
    """


def _carry_out(options: Options, name: str) -> None:
    run, target = options.run_without_version("traefik")

    from kamal_pyinfra.runner.tasks import proxy_hosts

    run_row(options, row(name), run, proxy_hosts(run, target.hosts))


@traefik.command()
@changing_options
def boot(options: Options) -> None:
    """Run the proxy as configured; one that already is stays as it is.

    \b
    Example:
      kp traefik boot
    """
    _carry_out(options, "traefik boot")


@traefik.command()
@changing_options
def start(options: Options) -> None:
    """Start the proxy that is there, as it is.

    \b
    Example:
      kp traefik start -h web1
    """
    _carry_out(options, "traefik start")


@traefik.command()
@changing_options
def stop(options: Options) -> None:
    """Stop the proxy; nothing on the host is served until it starts.

    \b
    Example:
      kp traefik stop -h web1
    """
    _carry_out(options, "traefik stop")


@traefik.command()
@changing_options
def restart(options: Options) -> None:
    """Stop and start the proxy that is there, as it is.

    \b
    Example:
      kp traefik restart
    """
    _carry_out(options, "traefik restart")


@traefik.command()
@changing_options
def remove(options: Options) -> None:
    """Remove the proxy with its image and secrets; refused while another service uses it.

    \b
    Example:
      kp traefik remove
    """
    _carry_out(options, "traefik remove")


@traefik.command()
@click.option("--rolling", is_flag=True, help="One host at a time; the next when this one serves again.")
@yes_option
@changing_options
def reboot(options: Options, rolling: bool, is_confirmed: bool) -> None:
    """Replace the proxy by a new one as configured, which interrupts traffic for a moment.

    \b
    Example:
      kp traefik reboot --rolling
    """
    run, target = options.run_without_version("traefik")

    from kamal_pyinfra.runner.tasks import proxy_hosts

    hosts, task = proxy_hosts(run, target.hosts), row("traefik reboot")
    if is_confirmed_for(options, task, run, hosts, is_confirmed=is_confirmed):
        run_row(options, task, run, hosts, is_rolling=rolling)


@traefik.command()
@common_options
def details(options: Options) -> None:
    """Show the proxy of each host, running or not.

    \b
    Example:
      kp traefik details
    """
    print_details(options, command="traefik", with_proxy=True, with_app=False)


@traefik.command()
@log_options
@common_options
def logs(options: Options, follows: bool, as_json: bool, **chosen: Any) -> None:
    """Show what the proxies wrote last, or follow all of them at once.

    \b
    Example:
      kp traefik logs -n 20 -g error
      kp traefik logs -f
    """
    run, target = options.run_without_version("traefik")

    from kamal_pyinfra.runner.queries.logs import proxy_listings, proxy_logs
    from kamal_pyinfra.runner.tasks import proxy_hosts

    wanted, hosts = log_filter(**chosen), proxy_hosts(run, target.hosts)
    if follows:
        follow_logs(run, proxy_listings(hosts), wanted, as_json=as_json)
    else:
        print_logs(proxy_logs(run, hosts, wanted), as_json=as_json)
