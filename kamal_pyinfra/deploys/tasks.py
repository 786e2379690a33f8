"""A smaller command on a host: any row of the table of tasks."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import apply, plan
from kamal_pyinfra.operations.run_state import current_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.table import Task


def run_steps(run: Run, task: Task) -> None:
    """Make the changes that a task decides on, one operation for each of its steps."""
    if task.is_checked:
        plan.allowed(run=run, decide=task.decide, name="Observe the host")
    for step in current_host().loop(task.steps):
        apply.applied(
            run=run,
            decide=task.decide,
            kinds=step.kinds,
            audits=step.audits,
            is_observed=task.is_observed,
            name=step.name,
        )


def deploy_of(task: Task) -> Callable[[Run], None]:
    """Return the deploy function of a task, with the name by which a failure calls it."""

    def make(run: Run) -> None:
        run_steps(run, task)

    make.__name__ = task.failure
    return make


@deploy("Purge the service")
def purge(run: Run) -> None:
    """Not even the audit log is left."""
    apply.purged(run=run, name="Remove the audit log and empty folders")
