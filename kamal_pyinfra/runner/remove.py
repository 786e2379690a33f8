"""kp remove."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

from kamal_pyinfra import deploys
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import remove as removal_tasks
from kamal_pyinfra.runner.locked import locked
from kamal_pyinfra.runner.planned import preview as preview_task
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.steps import Steps

STATE = "What was removed is gone, what is left is as it was; another run removes the rest."


def preview(run: Run, hosts: Collection[str], *, purges: bool) -> Plan:
    """What goes and what stays.

    Raises:
        HostFailed: a host could not be reached or looked at. PlanRefused: a host's Docker does not answer.
    """
    return preview_task(run, hosts, partial(removal_tasks.remove, purges=purges))


def remove(run: Run, hosts: Collection[str], report: Report, *, purges: bool) -> None:
    """Remove the service from hosts.

    Args:
        run: of the command ``remove``.
        hosts: names of the hosts that take part.
        report: told about it.
        purges: the audit log goes too; last, for the lock is kept beside it.

    Raises:
        LockHeld: somebody else is deploying. HostFailed: a host failed. Interrupted: a signal came.
    """
    began = time.monotonic()
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        session.require_hosts()
        steps = Steps(session, report)
        with locked(steps):
            if not steps.phase("remove", deploys.remove, is_strict=False):
                steps.fail(STATE)
        if purges and not steps.phase("purge", deploys.purge, is_strict=False):
            steps.fail(STATE)
        report.finished(time.monotonic() - began)
