"""kp setup, deploy, redeploy, rollback and plan."""

from __future__ import annotations

import json as json_module

import click

from kamal_pyinfra.cli.options import Options, common_options, skip_push

CHANGES = 2


def _carry_out(options: Options, command: str, *, version: str | None = None, skip_push: bool = False) -> None:
    run, target = options.run(command, version=version, skip_push=skip_push)

    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.deploy import deploy as carry_out

    with report_for(options) as report:
        carry_out(run, target.hosts, report)


@click.command()
@skip_push
@common_options
def setup(options: Options, skip_push: bool) -> None:
    """Install Docker where it is missing, then deploy.

    \b
    Example:
      kp setup
    """
    _carry_out(options, "setup", skip_push=skip_push)


@click.command()
@skip_push
@click.option("--dry-run", is_flag=True, help="Print the plan and stop, as `kp plan`.")
@common_options
def deploy(options: Options, skip_push: bool, dry_run: bool) -> None:
    """Put a version into service without losing a request.

    \b
    Example:
      kp deploy
      kp deploy --version 9f2c1ab --skip-push
    """
    if dry_run:
        _print_plan(options, skip_push=skip_push, json=False)
        return
    _carry_out(options, "deploy", skip_push=skip_push)


@click.command()
@skip_push
@common_options
def redeploy(options: Options, skip_push: bool) -> None:
    """Deploy without looking after the proxy and without pruning.

    \b
    Example:
      kp redeploy
    """
    _carry_out(options, "redeploy", skip_push=skip_push)


@click.command()
@click.argument("version_argument", metavar="VERSION")
@common_options
def rollback(options: Options, version_argument: str) -> None:
    """Put VERSION, still on the hosts, back into service.

    \b
    Example:
      kp rollback 9f2c1ab
    """
    _carry_out(options, "rollback", version=version_argument, skip_push=True)


@click.command()
@skip_push
@click.option("--json", is_flag=True, help="Print the plan as JSON.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there are changes, 0 if there are none.")
@common_options
def plan(options: Options, skip_push: bool, json: bool, detailed_exitcode: bool) -> None:
    """Say what a deploy would change on which host, and why; change nothing.

    \b
    Example:
      kp plan
      kp plan --json --detailed-exitcode
    """
    has_changes = _print_plan(options, skip_push=skip_push, json=json)
    if detailed_exitcode and has_changes:
        click.get_current_context().exit(CHANGES)


def _print_plan(options: Options, *, skip_push: bool, json: bool) -> bool:
    run, target = options.run("deploy", skip_push=skip_push)

    from kamal_pyinfra.plan.render import render_json, render_text
    from kamal_pyinfra.runner.deploy import plan as make_plan

    found = make_plan(run, target.hosts)
    click.echo(json_module.dumps(render_json(found), indent=2) if json else render_text(found), nl=json)
    return not found.is_empty
