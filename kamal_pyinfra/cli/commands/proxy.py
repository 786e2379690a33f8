"""kp traefik …"""

from __future__ import annotations

from typing import Any

import click

from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.confirm import is_wanted, yes_option
from kamal_pyinfra.cli.logs import follow_logs, log_filter, log_options, print_logs
from kamal_pyinfra.cli.options import Options, changing_options, common_options
from kamal_pyinfra.config.secrets import require_secrets


@click.group()
def traefik() -> None:
    """Look after the proxy, which all services of a host share.

    \b
    Example:
      kp traefik details
    """


def _carry_out(options: Options, command: str) -> None:
    run, target = options.run_without_version("traefik")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.proxy import TASKS, proxy_hosts
    from kamal_pyinfra.runner.tasks import carry_out

    hosts = proxy_hosts(run, target.hosts)
    with report_for(options) as report:
        carry_out(run, hosts, report, TASKS[command])


@traefik.command()
@changing_options
def boot(options: Options) -> None:
    """Run the proxy as configured; one that already is stays as it is.

    \b
    Example:
      kp traefik boot
    """
    _carry_out(options, "boot")


@traefik.command()
@changing_options
def start(options: Options) -> None:
    """Start the proxy that is there, as it is.

    \b
    Example:
      kp traefik start -h web1
    """
    _carry_out(options, "start")


@traefik.command()
@changing_options
def stop(options: Options) -> None:
    """Stop the proxy; nothing on the host is served until it starts.

    \b
    Example:
      kp traefik stop -h web1
    """
    _carry_out(options, "stop")


@traefik.command()
@changing_options
def restart(options: Options) -> None:
    """Stop and start the proxy that is there, as it is.

    \b
    Example:
      kp traefik restart
    """
    _carry_out(options, "restart")


@traefik.command()
@changing_options
def remove(options: Options) -> None:
    """Remove the proxy with its image and secrets; refused while another service uses it.

    \b
    Example:
      kp traefik remove
    """
    _carry_out(options, "remove")


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

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
    from kamal_pyinfra.runner.proxy import proxy_hosts
    from kamal_pyinfra.runner.proxy import reboot as carry_out
    from kamal_pyinfra.runner.tasks import preview

    require_secrets(run.config)
    hosts = proxy_hosts(run, target.hosts)
    plan = preview(run, hosts, proxy_tasks.reboot)
    if is_wanted(options, plan, "Replace the proxy on these hosts?", is_confirmed=is_confirmed):
        with report_for(options) as report:
            carry_out(run, hosts, report, is_rolling=rolling)


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

    from kamal_pyinfra.runner.proxy import proxy_hosts
    from kamal_pyinfra.runner.queries.logs import proxy_listings, proxy_logs

    wanted, hosts = log_filter(**chosen), proxy_hosts(run, target.hosts)
    if follows:
        follow_logs(run, proxy_listings(hosts), wanted, as_json=as_json)
    else:
        print_logs(proxy_logs(run, hosts, wanted), as_json=as_json)
