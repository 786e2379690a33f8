"""kp setup, deploy, redeploy and rollback."""

from __future__ import annotations

from dataclasses import replace

import click

from kamal_pyinfra.cli.choices import Choices, choices
from kamal_pyinfra.cli.complete import one, versions
from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.plan import events_option, print_plan


def _carry_out(options: Options, choices: Choices, command: str, *, as_json: bool) -> None:
    if options.dry_run:
        print_plan(options, choices, command, json=as_json)
        return
    run, hosts = choices.run(options, command)

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.deploy import deploy as carry_out

    with report_for(options, run, as_json=as_json) as report:
        carry_out(run, hosts, report)


@click.command()
@choices
@events_option
@changing_options
def setup(options: Options, choices: Choices, as_json: bool) -> None:
    """Install Docker where it is missing, then deploy.

    \b
    Example:
      kp setup
    """
    _carry_out(options, choices, "setup", as_json=as_json)


@click.command()
@choices
@events_option
@changing_options
def deploy(options: Options, choices: Choices, as_json: bool) -> None:
    """Put a version into service without losing a request.

    \b
    Example:
      kp deploy
      kp deploy --version 9f2c1ab --skip-push
    """
    _carry_out(options, choices, "deploy", as_json=as_json)


@click.command()
@choices
@events_option
@changing_options
def redeploy(options: Options, choices: Choices, as_json: bool) -> None:
    """Deploy without looking after the proxy and without pruning.

    \b
    Example:
      kp redeploy
    """
    _carry_out(options, choices, "redeploy", as_json=as_json)


@click.command()
@click.argument("version_argument", metavar="[VERSION]", required=False, shell_complete=one(versions))
@click.option("--keep-env", is_flag=True, help="Keep secrets as they are on the hosts; none is needed here.")
@click.option("--skip-unreachable", is_flag=True, help="Leave out hosts that cannot be reached, and say so.")
@events_option
@changing_options
def rollback(
    options: Options, version_argument: str | None, keep_env: bool, skip_unreachable: bool, as_json: bool
) -> None:
    """Put VERSION, still on the hosts, back into service; without it, offer those that are there.

    \b
    Example:
      kp rollback             # asks which
      kp rollback 9f2c1ab
    """
    version = version_argument or options.version
    if version is None:
        from kamal_pyinfra.cli.retained import choose_version

        version = choose_version(options)
    choices = Choices(skip_push=True, keep_env=keep_env, skip_unreachable=skip_unreachable)
    _carry_out(replace(options, version=version), choices, "rollback", as_json=as_json)
