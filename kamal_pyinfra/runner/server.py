"""kp server bootstrap."""

from __future__ import annotations

from collections.abc import Collection

from kamal_pyinfra import deploys
from kamal_pyinfra.plan import server_tasks
from kamal_pyinfra.plan.fleet import Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.planned import PlannedTask, carry_out
from kamal_pyinfra.runner.report import Report


def bootstrap(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Install Docker where it is missing.

    Raises:
        LockHeld: somebody else is deploying. HostFailed: it could not be installed on a host.
    """
    task = PlannedTask(
        name="bootstrap",
        deploy=deploys.bootstrap,
        decide=server_tasks.bootstrap,
        state="The other hosts have Docker; a user who installs it must be root or have sudo without password.",
    )
    return carry_out(run, hosts, report, task)
