"""``kp traefik``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.commands.status import print_details
from kamal_pyinfra.cli.logs import LogOptions, log_options
from kamal_pyinfra.cli.options import Options, changing_options, common_options, example, flag
from kamal_pyinfra.cli.task import add_commands, confirm_row, row, run_row, yes_option

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run

REMOVE = "Remove the proxy with its image and secrets; refused while another service uses it."
TASKS = {
    "boot": ("Run the proxy as configured; an existing one that is so already stays as it is.", "kp traefik boot"),
    "start": ("Start the existing proxy, as it is.", "kp traefik start -h web1"),
    "stop": ("Stop the proxy; nothing on the host is served until it starts.", "kp traefik stop -h web1"),
    "restart": ("Stop and start the existing proxy, as it is.", "kp traefik restart"),
    "remove": (REMOVE, "kp traefik remove"),
}


@click.group()
@example("kp traefik details")
def traefik() -> None:
    """Manage the proxy, which all services of a host share."""


def _run(options: Options) -> tuple[Run, tuple[str, ...]]:
    run = options.run_without_version("traefik")
    from kamal_pyinfra.runner.tasks import proxy_hosts

    return run, proxy_hosts(run, run.hosts)


add_commands(traefik, TASKS, lambda options, name: run_row(options, row(name), *_run(options)))


@traefik.command()
@flag("--rolling", help="One host at a time; the next one once this one serves again.")
@yes_option
@changing_options
@example("kp traefik reboot --rolling")
def reboot(options: Options, rolling: bool, is_confirmed: bool) -> None:
    """Replace the proxy by a new one as configured, which interrupts traffic for a moment."""
    (run, hosts), task = _run(options), row("traefik reboot")
    question = "" if is_confirmed else "Replace the proxy on these hosts?"
    if confirm_row(options, task, run, hosts, question):
        run_row(options, task, run, hosts, is_rolling=rolling)


@traefik.command()
@common_options
@example("kp traefik details")
def details(options: Options) -> None:
    """Show the proxy of each host, running or not."""
    print_details(options.run_of_any_version("traefik"), with_proxy=True)


@traefik.command()
@log_options
@common_options
@example("kp traefik logs -n 20 -g error", "kp traefik logs -f")
def logs(options: Options, log: LogOptions) -> None:
    """Show the last lines of the proxies' logs, or follow all of them at once."""
    from kamal_pyinfra.naming import PROXY_CONTAINER

    log.show(*_run(options), PROXY_CONTAINER, PROXY_CONTAINER)
