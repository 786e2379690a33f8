"""kp registry …"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.say import say

if TYPE_CHECKING:
    from kamal_pyinfra.plan.run import Run

skip_local_option = click.option(
    "-L", "--skip-local", "--skip_local", "skip_local", is_flag=True, help="Leave this machine out."
)
skip_remote_option = click.option(
    "-R", "--skip-remote", "--skip_remote", "skip_remote", is_flag=True, help="Leave the hosts out."
)


@click.group()
def registry() -> None:
    """Log in to the registry, here and on the hosts, or out.

    \b
    Example:
      kp registry login
    """


@registry.command()
@skip_local_option
@skip_remote_option
@changing_options
def login(options: Options, skip_local: bool, skip_remote: bool) -> None:
    """Give the registry's credentials to this machine's Docker and to the hosts'.

    \b
    Example:
      kp registry login --skip-local
    """
    run, target = options.run_without_version("registry")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import log_in

    _say_of_this_machine(options, run, "log in to", is_local=not skip_local)
    with report_for(options) as report:
        log_in(run, target.hosts, report, is_local=not skip_local, is_remote=not skip_remote)


@registry.command()
@skip_local_option
@skip_remote_option
@changing_options
def logout(options: Options, skip_local: bool, skip_remote: bool) -> None:
    """Take the registry's credentials from this machine's Docker and from the hosts'.

    \b
    Example:
      kp registry logout --skip-remote
    """
    run, target = options.run_without_version("registry")

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.host_tasks import log_out

    _say_of_this_machine(options, run, "log out of", is_local=not skip_local)
    with report_for(options) as report:
        log_out(run, target.hosts, report, is_local=not skip_local, is_remote=not skip_remote)


def _say_of_this_machine(options: Options, run: Run, what: str, *, is_local: bool) -> None:
    if not options.dry_run:
        return
    registry = run.config.registry
    if registry.is_own:
        say(f"The registry of your own would {'be ended' if what == 'log out of' else 'start when it is needed'}.")
    elif is_local:
        say(f"This machine would {what} {registry.server or 'Docker Hub'}.")
