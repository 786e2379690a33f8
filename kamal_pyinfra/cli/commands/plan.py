"""kp plan and kp apply."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli.options import Options, PlanOptions, changing_options, common_options, plan_options
from kamal_pyinfra.cli.output import say, say_json
from kamal_pyinfra.project.write import write_private

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan

CHANGES = 2

F = TypeVar("F", bound=Callable[..., Any])


def events_option(command: F) -> F:
    """Give a command the option ``--json``, as ``as_json``."""
    option = click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one object a line.")
    return option(command)


@click.command()
@plan_options
@click.option("--json", is_flag=True, help="Print the plan as JSON.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there are changes, 0 if there are none.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write the plan for `kp apply`.")
@common_options
def plan(options: Options, choices: PlanOptions, json: bool, detailed_exitcode: bool, out: str | None) -> None:
    """Say what a deploy would change on which host, and why; change nothing.

    \b
    Example:
      kp plan
      kp plan --json --detailed-exitcode
      kp plan --out plan.json && kp apply plan.json
    """
    found = print_plan(options, choices, json=json, out=out)
    if detailed_exitcode and not found.is_empty:
        click.get_current_context().exit(CHANGES)


def print_plan(
    options: Options, choices: PlanOptions, command: str = "deploy", *, json: bool = False, out: str | None = None
) -> Plan:
    """Make the plan and print it.

    Args:
        options: the common ones.
        choices: those about the plan.
        command: what would be done.
        json: as a JSON document.
        out: file to write the plan to.
    """
    run, hosts = choices.run(options, command)

    from kamal_pyinfra.runner.deploy import plan as make_plan

    found, file = make_plan(run, hosts)

    from kamal_pyinfra.cli.output import paint
    from kamal_pyinfra.plan.output.document import plan_document
    from kamal_pyinfra.plan.output.text import render_text

    if json:
        say_json(plan_document(found).model_dump_json(indent=2))
    else:
        paint(render_text(found, is_whole=options.verbose))
    if out is not None:
        write_private(Path(out), file.model_dump_json(indent=2) + "\n")
        say(f"Wrote {out}; `kp apply {out}` carries out just this.", err=json)
    return found


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), metavar="FILE")
@events_option
@changing_options
def apply(options: Options, file: str, as_json: bool) -> None:
    """Carry out the plan in FILE, unless the fleet or the configuration changed since it was made.

    \b
    Example:
      kp apply plan.json      # written by kp plan --out plan.json
    """
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.plan.output.file import parse_plan_file
    from kamal_pyinfra.runner.deploy import apply as carry_out

    planned = parse_plan_file(Path(file).read_text("utf-8", errors="replace"), file)
    run = options.planned_run(planned.run)
    with report_for(options, run, as_json=as_json) as report:
        carry_out(run, planned, report)
