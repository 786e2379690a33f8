"""``kp setup``, ``deploy``, ``redeploy``, ``rollback``, ``plan``, ``apply``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli import options as shared
from kamal_pyinfra.cli.completion import one, versions
from kamal_pyinfra.cli.options import Options, PlanOptions, changing_options, common_options, example, flag
from kamal_pyinfra.cli.output import age, echo, echo_json, paint_plan
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.text import one_line

if TYPE_CHECKING:
    from kamal_pyinfra.insight.status import Retained
    from kamal_pyinfra.plan.plan import Plan

events_option = flag("--json", "as_json", help="Print events as JSON, one object a line.")
plan_options = partial(shared.options_of, PlanOptions, "choices")
DEPLOY = "Put a version into service without losing a request."


def _deploying(name: str, text: str, *examples: str) -> click.Command:
    @click.command(name, help=shared.with_example(text, *examples))
    @plan_options()
    @events_option
    @changing_options
    def command(options: Options, choices: PlanOptions, as_json: bool) -> None:
        run_deploy(options, choices, name, as_json=as_json)

    return command


setup = _deploying("setup", "Install Docker where it is missing, then deploy.", "kp setup")
deploy = _deploying("deploy", DEPLOY, "kp deploy", "kp deploy --version 9f2c1ab --skip-push")
redeploy = _deploying("redeploy", "Deploy, but leave the proxy as it is and prune nothing.", "kp redeploy")


def run_deploy(options: Options, choices: PlanOptions, command: str, *, as_json: bool) -> None:
    """Deploy, or print the plan of a dry run."""
    if options.dry_run:
        print_plan(options, choices, command, json=as_json)
        return
    run, hosts = choices.run(options, command)
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.deploy import deploy

    with report_for(options, run, as_json=as_json) as report:
        deploy(run, hosts, report)


@click.command()
@click.argument("version_argument", metavar="[VERSION]", required=False, shell_complete=one(versions))
@plan_options("keep_env", "skip_unreachable")
@events_option
@changing_options
@example("kp rollback             # asks which", "kp rollback 9f2c1ab")
def rollback(options: Options, version_argument: str | None, choices: PlanOptions, as_json: bool) -> None:
    """Put VERSION, still on the hosts, back into service; without it, offer those that are there."""
    version = version_argument or options.version or choose_version(options)
    run_deploy(replace(options, version=version), replace(choices, skip_push=True), "rollback", as_json=as_json)


def choose_version(options: Options) -> str:
    """Return the version that the user chooses among those on the hosts.

    Raises ConfigError if there is no terminal to ask at, or no version to roll back to.
    """
    run = options.run_without_version("rollback")
    from kamal_pyinfra.insight.status import retained_versions
    from kamal_pyinfra.runner.queries.observe import observe

    found = retained_versions(run, observe(run, run.hosts))
    offered, now = [each for each in found if each.is_offered], datetime.now(UTC)
    if not offered:
        raise ConfigError("There is no version to roll back to.", *listing(found, now))
    if not sys.stdin.isatty():
        raise ConfigError("Which version? `kp rollback VERSION` with one of these:", *listing(found, now))
    echo("\n".join(listing(found, now, is_numbered=True)))
    number = click.prompt("Roll back to", type=click.IntRange(1, len(offered)), default=1)
    return offered[number - 1].version


def listing(found: Sequence[Retained], now: datetime, *, is_numbered: bool = False) -> list[str]:
    """Return a line for each version; those that can be chosen are numbered from 1."""
    wide = max((len(each.version) for each in found), default=0)
    number = 0
    lines = []
    for each in found:
        number += each.is_offered
        mark = (f"{number})" if each.is_offered else "  ") if is_numbered else " "
        reason = f", but its image is not on {', '.join(each.missing)}" if each.missing else ""
        reason = ", in service" if each.is_in_service else reason
        lines.append(f"{mark:<3} {one_line(each.version):<{wide}}  {age(each.created, now)} ago{reason}")
    return lines


@click.command()
@plan_options()
@flag("--json", help="Print the plan as JSON.")
@flag("--detailed-exitcode", help="Exit 2 if there are changes, 0 if there are none.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write the plan for `kp apply`.")
@common_options
@example("kp plan", "kp plan --json --detailed-exitcode", "kp plan --out plan.json && kp apply plan.json")
def plan(options: Options, choices: PlanOptions, json: bool, detailed_exitcode: bool, out: str | None) -> None:
    """Show what a deploy would change on which host, and why; change nothing."""
    found = print_plan(options, choices, json=json, out=out)
    if detailed_exitcode and not found.is_empty:
        click.get_current_context().exit(2)


def print_plan(
    options: Options, choices: PlanOptions, command: str = "deploy", *, json: bool = False, out: str | None = None
) -> Plan:
    """Make the plan of a command and print it; ``out`` is a file to write it to."""
    run, hosts = choices.run(options, command)
    from kamal_pyinfra.runner.deploy import plan as make_plan

    found, file = make_plan(run, hosts)
    from kamal_pyinfra.plan.output.document import plan_document
    from kamal_pyinfra.project.write import write

    if json:
        echo_json(plan_document(found).model_dump_json(indent=2))
    else:
        paint_plan(found, is_whole=options.verbose)
    if out is not None:
        write(Path(out), file.model_dump_json(indent=2) + "\n", mode=0o600, replaces_link=True)
        echo(f"Wrote {out}; `kp apply {out}` makes exactly these changes.", err=json)
    return found


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="FILE")
@events_option
@changing_options
@example("kp apply plan.json      # written by kp plan --out plan.json")
def apply(options: Options, file: str, as_json: bool) -> None:
    """Make the changes of the plan in FILE, unless the fleet or the configuration changed since it was made."""
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.local.new_run import new_run
    from kamal_pyinfra.plan.output.file import parse_plan_file
    from kamal_pyinfra.runner.deploy import deploy

    plan = parse_plan_file(Path(file).read_text("utf-8", errors="replace"), file)
    planned = plan.run
    if options.destination not in (None, planned.destination):
        raise ConfigError(f"the plan is for destination {planned.destination}, not {options.destination}")
    config = replace(options, destination=planned.destination).config()
    run = new_run(config, planned.version, command=planned.command, lock_wait=options.lock_wait, is_dry=options.dry_run)
    run = replace(run, **planned.model_dump(exclude={"destination", "hosts"}))
    with report_for(options, run, as_json=as_json) as report:
        deploy(run, planned.hosts, report, plan)
