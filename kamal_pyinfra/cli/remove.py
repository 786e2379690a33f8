"""kp remove."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.confirm import is_wanted, yes_option
from kamal_pyinfra.cli.options import Options, changing_options


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
