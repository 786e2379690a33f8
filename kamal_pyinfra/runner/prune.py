"""kp prune."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from kamal_pyinfra import deploys
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.plan import Decide, Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import remove as prune_tasks
from kamal_pyinfra.runner.planned import PlannedTask, carry_out
from kamal_pyinfra.runner.report import Report


def everything(run: Run, hosts: Collection[str], report: Report, *, retain: int | None = None) -> Plan:
    """Remove containers, images and folders that nobody needs.

    Args:
        run: of the command ``prune``.
        hosts: names of the hosts that take part.
        report: told about it.
        retain: stopped containers that stay of each role; ``retain_containers`` without it.

    Raises:
        ConfigError: fewer than one is to be retained. LockHeld: somebody else is deploying. HostFailed: a host
            failed.
    """
    return _prune(run, hosts, report, partial(prune_tasks.everything, retain=_retained(run, retain)))


def containers(run: Run, hosts: Collection[str], report: Report, *, retain: int | None = None) -> Plan:
    """Remove stopped containers beyond those retained, and folders that no container needs; see :func:`everything`."""
    return _prune(run, hosts, report, partial(prune_tasks.containers, retain=_retained(run, retain)))


def images(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove images that no container uses; see :func:`everything`."""
    return _prune(run, hosts, report, prune_tasks.images)


def _retained(run: Run, retain: int | None) -> int:
    if retain is not None and retain < 1:
        raise ConfigError("--retain must be at least 1: without a stopped container there is nothing to roll back to")
    return run.config.retain_containers if retain is None else retain


def _prune(run: Run, hosts: Collection[str], report: Report, decide: Decide) -> Plan:
    task = PlannedTask(
        name="prune",
        deploy=deploys.prune,
        decide=decide,
        arguments={"decide": decide},
        state="What serves was not touched; the other hosts are through.",
    )
    return carry_out(run, hosts, report, task)
