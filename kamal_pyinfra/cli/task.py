"""A row of the table of tasks as a command: options in, a question if the command has one, and its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kamal_pyinfra.cli.options import Options, changing_options, flag, with_example
from kamal_pyinfra.cli.output import echo, is_yes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.plan.tasks.table import Task

yes_option = flag("-y", "--confirmed", "--yes", "is_confirmed", help="Do not ask.")


def run_task(options: Options, name: str, **given: Any) -> None:
    """Run a task on the chosen hosts; ``given`` are options of its own."""
    run = options.run_without_version(name.partition(" ")[0])
    run_row(options, row(name, **given), run, run.hosts)


def add_commands(
    group: click.Group,
    texts: Mapping[str, tuple[str, str]],
    run: Callable[..., None] = run_task,
    *parameters: Callable[[Any], Any],
    shared: Callable[[Any], Any] = changing_options,
    hidden: bool = False,
) -> None:
    """Add commands to a group, which differ in little but their name.

    ``texts`` are help text and example by the command's name. ``run`` gets the common options, which ``shared`` adds,
    the names of group and command, as in ``app stop``, and the values of ``parameters``: options and arguments besides.
    """
    for name, (text, example) in texts.items():

        def command(options: Options, task: str = f"{group.name} {name}", **values: Any) -> None:
            run(options, task, **values)

        for parameter in (shared, *reversed(parameters)):
            command = parameter(command)
        group.command(name, help=with_example(text, example), hidden=hidden)(command)


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
    question: str,
    require: Callable[[bool], None] = lambda _: None,
) -> bool:
    """Show what a task would change and ask a question (Kamal 1.9: only ``y`` is yes), or none if it is empty.

    ``require`` is called with whether nothing would change, and may raise. Raises ConfigError if there is no input to
    read the answer from.
    """
    from kamal_pyinfra.plan.output.text import render_text
    from kamal_pyinfra.runner.tasks import preview

    plan = preview(task, run, hosts)
    require(plan.is_empty)
    if not options.quiet or question or options.dry_run:
        echo(render_text(plan), nl=False)
    if options.dry_run or plan.is_empty:
        return False
    if not question or is_yes(question):
        return True
    echo("Aborted")
    return False
