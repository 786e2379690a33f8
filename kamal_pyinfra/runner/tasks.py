"""Runs a task: snapshot, plan, lock, change, unlock; ``kp app …``."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kamal_pyinfra import deploys
from kamal_pyinfra.plan.plan import Decide, Plan, task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import app as app_tasks
from kamal_pyinfra.plan.tasks.app import stale_containers, version_in_service
from kamal_pyinfra.runner.lock import locked, what_is_done_stays
from kamal_pyinfra.runner.progress.emitter import Progress, Report
from kamal_pyinfra.runner.queries.observe import observe
from kamal_pyinfra.runner.session import Session, Steps, interruptible


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a command does on its hosts.

    Args:
        name: what the report and an error call it.
        deploy: a function of ``kamal_pyinfra.deploys``.
        arguments: for that function, besides the run.
        is_locked: whether the deploy lock is held meanwhile.
        state: what an error says of the fleet.
    """

    name: str
    deploy: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_locked: bool = True
    state: str = "The other hosts are through."


def act(run: Run, hosts: Collection[str], report: Report, task: Task) -> None:
    """Run one deploy function on hosts; each host goes on when another fails.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts that take part.
        report: told about it.
        task: what to do.

    Raises:
        LockHeld: somebody else is deploying. HookFailed: a hook failed. HostFailed: a host could not be
        reached, or failed. Interrupted: a signal came.
    """
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        session.require_hosts()
        steps = Steps(session, report)
        with locked(steps) if task.is_locked else what_is_done_stays():
            if not steps.phase(task.name, task.deploy, is_strict=False, arguments=dict(task.arguments)):
                steps.fail(task.state)


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


STATE = "The other hosts are through; `kp app details` shows what runs."


def in_service(run: Run, hosts: Collection[str]) -> str:
    """The version that hosts have in service, for a command that gets none.

    Raises:
        ConfigError: they do not agree, or there is none. HostFailed: a host could not be reached.
    """
    return version_in_service(run, observe(run, hosts))


def stale(run: Run, hosts: Collection[str]) -> list[tuple[str, str, str]]:
    """Host, container and version of what runs beside the version in service.

    Raises:
        HostFailed: a host could not be reached.
    """
    looks = observe(run, hosts).items()
    return [(host, each.name, each.version) for host, seen in looks for each, _ in stale_containers(run, seen)]


def start(run: Run, hosts: Collection[str], report: Report, *, version: str | None) -> Plan:
    """Start what is there, as it is.

    Args:
        run: of the command ``app``.
        hosts: names of the hosts that take part.
        report: told about it.
        version: which one; without it the one that was in service last.

    Raises:
        PlanRefused: there is no such container. LockHeld: somebody else is deploying. HostFailed: a host failed.
    """
    return _act(run, hosts, report, "start", deploys.start_app, partial(app_tasks.start, version=version))


def stop(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Stop every container of the app; see :func:`start`."""
    return _act(run, hosts, report, "stop", deploys.stop_app, app_tasks.stop, message="Stopped app")


def stop_stale(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Stop what runs beside the version in service; see :func:`start`."""
    message = "Stopped stale containers"
    return _act(run, hosts, report, "stop", deploys.stop_app, app_tasks.stale, message=message)


def remove(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove the app's containers and images; see :func:`start`."""
    task = PlannedTask(name="remove", deploy=deploys.remove_app, decide=app_tasks.remove, state=STATE)
    return carry_out(run, hosts, report, task)


def remove_container(run: Run, hosts: Collection[str], report: Report, *, version: str) -> Plan:
    """Remove the stopped containers of a version; see :func:`start`."""
    decide = partial(app_tasks.remove_container, version=version)
    message = f"Removed app container with version {version}"
    return _act(run, hosts, report, "remove", deploys.remove_from_app, decide, message=message)


def remove_containers(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove all stopped containers of the app; see :func:`start`."""
    message = "Removed all app containers"
    return _act(run, hosts, report, "remove", deploys.remove_from_app, app_tasks.remove_containers, message=message)


def remove_images(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove the app's images that no container uses; see :func:`start`."""
    message = "Removed all app images"
    return _act(run, hosts, report, "remove", deploys.remove_from_app, app_tasks.remove_images, message=message)


def _act(
    run: Run, hosts: Collection[str], report: Report, name: str, deploy: Any, decide: Decide, **arguments: Any
) -> Plan:
    more = {"decide": decide, **arguments}
    task = PlannedTask(name=name, deploy=deploy, decide=decide, arguments=more, state=STATE)
    return carry_out(run, hosts, report, task)
