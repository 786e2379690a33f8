"""kp app boot, start, stop, stale_containers and remove…"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from kamal_pyinfra import deploys
from kamal_pyinfra.plan.plan import Decide, Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import app as app_tasks
from kamal_pyinfra.plan.tasks.app import stale_containers, version_in_service
from kamal_pyinfra.runner.ask import observe
from kamal_pyinfra.runner.planned import PlannedTask, carry_out
from kamal_pyinfra.runner.report import Report

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
