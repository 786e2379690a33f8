"""kp env push and delete."""

from __future__ import annotations

from collections.abc import Collection

from kamal_pyinfra import deploys
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as env_tasks
from kamal_pyinfra.runner.planned import PlannedTask, carry_out
from kamal_pyinfra.runner.report import Report

PUSH = PlannedTask(
    name="env push",
    deploy=deploys.push_env,
    decide=env_tasks.push,
    state="The other hosts have their env files. No container was touched.",
)
DELETE = PlannedTask(
    name="env delete",
    deploy=deploys.delete_env,
    decide=env_tasks.delete,
    state="The other hosts are through. No container was touched.",
)


def push(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Write the env files that differ; running containers keep what they were started with.

    Args:
        run: of the command ``env``.
        hosts: names of the hosts that take part.
        report: told about it.

    Raises:
        ConfigError: a secret has no value. LockHeld: somebody else is deploying. PlanRefused: the proxy's file
            belongs to another service. HostFailed: a host failed.
    """
    run.config.require_secrets()
    return carry_out(run, hosts, report, PUSH)


def delete(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove the env files; running containers keep what they were started with.

    Raises:
        LockHeld: somebody else is deploying. HostFailed: a host failed.
    """
    return carry_out(run, hosts, report, DELETE)
