"""kp server bootstrap."""

from __future__ import annotations

import time
from collections.abc import Collection

from kamal_pyinfra import deploys
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.plan.plan import Plan, task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as server_tasks
from kamal_pyinfra.runner.locked import locked
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.steps import Steps

HOOK = "docker-setup"
STATE = "The other hosts have Docker; a user who installs it must be root or have sudo without password."


def bootstrap(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Install Docker where it is missing, then call the hook ``docker-setup``, also if nothing was missing.

    Raises:
        LockHeld: somebody else is deploying. HostFailed: it could not be installed on a host. HookFailed: the hook
            failed. Interrupted: a signal came.
    """
    began = time.monotonic()
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        plan = task_plan(run, session.observe(), server_tasks.bootstrap)
        report.planned(plan)
        if run.is_dry or (plan.is_empty and not has_hook(run, HOOK)):
            return plan
        steps = Steps(session, report)
        with locked(steps):
            if not steps.phase("bootstrap", deploys.bootstrap_server, is_strict=False):
                steps.fail(STATE)
            steps.hook(HOOK)
        report.finished(time.monotonic() - began)
        return plan
