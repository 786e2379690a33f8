"""kp setup, deploy, redeploy and rollback."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.commands.plan import events_option, print_plan
from kamal_pyinfra.cli.options import Options, PlanOptions, changing_options, plan_options


def run_deploy(options: Options, choices: PlanOptions, command: str, *, as_json: bool) -> None:
    """Carry out a deploy, shown by the view that the options ask for."""
    if options.dry_run:
        print_plan(options, choices, command, json=as_json)
        return
    run, hosts = choices.run(options, command)

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.deploy import deploy as carry_out

    with report_for(options, run, as_json=as_json) as report:
        carry_out(run, hosts, report)


@click.command()
@plan_options
@events_option
@changing_options
def setup(options: Options, choices: PlanOptions, as_json: bool) -> None:
    """Install Docker where it is missing, then deploy.

    \b
    Example:
      kp setup
    """
    run_deploy(options, choices, "setup", as_json=as_json)


@click.command()
@plan_options
@events_option
@changing_options
def deploy(options: Options, choices: PlanOptions, as_json: bool) -> None:
    """Put a version into service without losing a request.

    \b
    Example:
      kp deploy
      kp deploy --version 9f2c1ab --skip-push
    """
    run_deploy(options, choices, "deploy", as_json=as_json)


@click.command()
@plan_options
@events_option
@changing_options
def redeploy(options: Options, choices: PlanOptions, as_json: bool) -> None:
    """Deploy without looking after the proxy and without pruning.

    \b
    Example:
      kp redeploy
    """
    run_deploy(options, choices, "redeploy", as_json=as_json)
