"""A row of the table of tasks as a command: options in, a question if the row has one, and its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamal_pyinfra.cli.confirm import is_wanted
from kamal_pyinfra.cli.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.plan.tasks.table import Task


def carry_out(options: Options, name: str, **given: Any) -> None:
    """Run a task on the chosen hosts.

    Args:
        options: the common ones.
        name: the row's, as it is typed: ``app stop``.
        given: options of its own.
    """
    run, target = options.run_without_version(name.partition(" ")[0])
    run_row(options, row(name, **given), run, target.hosts)


def row(name: str, **given: Any) -> Task:
    """Return a row of the table with its options."""
    from kamal_pyinfra.plan.tasks.table import TASKS

    return TASKS[name].given(**given) if given else TASKS[name]


def run_row(options: Options, task: Task, run: Run, hosts: Collection[str], **more: Any) -> None:
    """Run a task on hosts, with a report for whoever watches."""
    from kamal_pyinfra.cli.report import report_for
    from kamal_pyinfra.runner.tasks import run_task

    with report_for(options) as report:
        run_task(task, run, hosts, report, **more)


def is_confirmed_for(
    options: Options,
    task: Task,
    run: Run,
    hosts: Collection[str],
    *,
    is_confirmed: bool,
    require: Callable[[bool], None] | None = None,
) -> bool:
    """Show what a task would change and ask its question, unless that was answered with ``-y``."""
    from kamal_pyinfra.runner.tasks import preview

    plan = preview(task, run, hosts)
    if require is not None:
        require(plan.is_empty)
    return is_wanted(options, plan, task.question, is_confirmed=is_confirmed)
