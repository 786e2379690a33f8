"""A row of the table of tasks as a command: options in, a question if the row has one, and its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kamal_pyinfra.cli.options import Options, changing_options, flag, with_example
from kamal_pyinfra.cli.output import echo, is_yes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.plan.tasks.table import Task

yes_option = flag("-y", "--confirmed", "--yes", "is_confirmed", help="Do not ask.")


def run_task(options: Options, name: str, **given: Any) -> None:
    """Run a task on the chosen hosts; ``given`` are options of its own."""
    run, target = options.run_without_version(name.partition(" ")[0])
    run_row(options, row(name, **given), run, target.hosts)


def add_commands(
    group: click.Group,
    texts: Mapping[str, tuple[str, str]],
    run: Callable[..., None] = run_task,
    *parameters: Callable[[Any], Any],
    hidden: bool = False,
) -> None:
    """Add commands that change hosts to a group, which differ in little but their name.

    Args:
        group: whose name begins the task's: ``app stop``.
        texts: help text and example, by the command's name.
        run: called with the common options, the names of group and command, and the values of ``parameters``.
        parameters: options and arguments besides the common ones.
        hidden: not listed in the group's help.
    """

    def add(name: str, text: str, example: str) -> None:
        def command(options: Options, **values: Any) -> None:
            run(options, f"{group.name} {name}", **values)

        command = changing_options(command)
        for parameter in reversed(parameters):
            command = parameter(command)
        group.command(name, help=with_example(text, example), hidden=hidden)(command)

    for name, (text, example) in texts.items():
        add(name, text, example)


def row(name: str, **given: Any) -> Task:
    """Return a row of the table with its options."""
    from kamal_pyinfra.plan.tasks.table import TASKS

    return TASKS[name].given(**given) if given else TASKS[name]


def run_row(options: Options, task: Task, run: Run, hosts: Collection[str], **more: Any) -> None:
    """Run a task on hosts, and report on it."""
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import run_task as run_on_hosts

    with report_for(options) as report:
        run_on_hosts(task, run, hosts, report, **more)


def confirm_row(
    options: Options,
    task: Task,
    run: Run,
    hosts: Collection[str],
    *,
    is_confirmed: bool,
    require: Callable[[bool], None] | None = None,
) -> bool:
    """Show what a task would change and ask its question, unless that was answered with ``-y``.

    ``require`` is called with whether nothing would change, and may raise.
    """
    from kamal_pyinfra.runner.tasks import preview

    plan = preview(task, run, hosts)
    if require is not None:
        require(plan.is_empty)
    return is_wanted(options, plan, task.question, is_confirmed=is_confirmed)


def is_wanted(options: Options, plan: Plan, question: str, *, is_confirmed: bool) -> bool:
    """Show the plan, and ask whether to go on (Kamal 1.9: only ``y`` is yes).

    Raises ConfigError if there is no input to read the answer from.
    """
    from kamal_pyinfra.plan.output.text import render_text

    if not options.quiet or not is_confirmed or options.dry_run:
        echo(render_text(plan), nl=False)
    if options.dry_run or plan.is_empty:
        return False
    if is_confirmed or is_yes(question):
        return True
    echo("Aborted")
    return False
