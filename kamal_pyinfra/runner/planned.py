"""One thing done on hosts that is shown first: look, say what will change, lock, do it, unlock."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from kamal_pyinfra.plan.plan import Decide, Plan, task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.act import Task
from kamal_pyinfra.runner.locked import locked
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.steps import Steps


@dataclass(frozen=True, kw_only=True)
class PlannedTask(Task):
    """A task whose changes are known before it is done; always under the lock.

    Args:
        decide: the function that its operations decide with.
    """

    decide: Decide


def preview(run: Run, hosts: Collection[str], decide: Decide) -> Plan:
    """Look at hosts and say what a command would change; nobody is asked anything while connections are open.

    Raises:
        HostFailed: a host could not be reached or looked at. PlanRefused: it must not be done.
    """
    with interruptible(), Session(run, hosts) as session:
        return task_plan(run, session.observe(), decide)


def carry_out(run: Run, hosts: Collection[str], report: Report, task: PlannedTask) -> Plan:
    """Show what a task will change, and do it; without changes the lock is not taken.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts that take part.
        report: told about it.
        task: what to do.

    Returns:
        The plan that was carried out.

    Raises:
        LockHeld: somebody else is deploying. PlanRefused: it must not be done. HostFailed: a host could not be
            reached, or failed. Interrupted: a signal came.
    """
    began = time.monotonic()
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        plan = task_plan(run, session.observe(), task.decide)
        report.planned(plan)
        if plan.is_empty or run.is_dry:
            return plan
        steps = Steps(session, report)
        with locked(steps):
            if not steps.phase(task.name, task.deploy, is_strict=False, arguments=dict(task.arguments)):
                steps.fail(task.state)
        report.finished(time.monotonic() - began)
        return plan
