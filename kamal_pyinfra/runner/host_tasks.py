"""``kp env``, ``prune``, ``remove``, ``server bootstrap``, ``registry``; becomes rows of the task table."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

from kamal_pyinfra import deploys
from kamal_pyinfra.config.secrets import registry_credentials, require_secrets
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.local import registry as local_registry
from kamal_pyinfra.local import registry as own_registry
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.plan import Decide, Plan, task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import host as env_tasks
from kamal_pyinfra.plan.tasks import host as registry_tasks
from kamal_pyinfra.plan.tasks import host as server_tasks
from kamal_pyinfra.plan.tasks import remove as prune_tasks
from kamal_pyinfra.plan.tasks import remove as removal_tasks
from kamal_pyinfra.runner.lock import locked
from kamal_pyinfra.runner.progress.emitter import Progress, Report
from kamal_pyinfra.runner.session import Session, Steps, interruptible
from kamal_pyinfra.runner.tasks import PlannedTask, Task, act, carry_out, preview
from kamal_pyinfra.runner.tasks import preview as preview_task

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
    require_secrets(run.config)
    return carry_out(run, hosts, report, PUSH)


def delete(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Remove the env files; running containers keep what they were started with.

    Raises:
        LockHeld: somebody else is deploying. HostFailed: a host failed.
    """
    return carry_out(run, hosts, report, DELETE)


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


REMOVE_STATE = "What was removed is gone, what is left is as it was; another run removes the rest."


def preview_removal(run: Run, hosts: Collection[str], *, purges: bool) -> Plan:
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
                steps.fail(REMOVE_STATE)
        if purges and not steps.phase("purge", deploys.purge, is_strict=False):
            steps.fail(REMOVE_STATE)
        report.finished(time.monotonic() - began)


HOOK = "docker-setup"

BOOTSTRAP_STATE = "The other hosts have Docker; a user who installs it must be root or have sudo without password."


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
                steps.fail(BOOTSTRAP_STATE)
            steps.hook(HOOK)
        report.finished(time.monotonic() - began)
        return plan


LOG_IN = Task(name="login", deploy=deploys.log_in, is_locked=False, state="The other hosts are logged in.")

LOG_OUT = Task(name="logout", deploy=deploys.log_out, is_locked=False, state="The other hosts are logged out.")


def log_in(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Give the registry's credentials to this machine's Docker, then to the hosts'.

    Raises:
        ConfigError: a credential has no value. RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, registry_tasks.log_in)
        return
    if run.config.registry.is_built_in:
        report.warned("the registry is of your own: nobody logs in, and it starts when it is needed")
        return
    registry_credentials(run.config)
    if is_local:
        report.phase_began("login", [])
        local_registry.log_in(run)
        report.phase_ended("login", succeeded=True)
    if is_remote:
        act(run, hosts, report, LOG_IN)


def log_out(run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool) -> None:
    """Take the registry's credentials from this machine's Docker, then from the hosts'; end one of one's own.

    Raises:
        RegistryFailed: this machine could not. HostFailed: a host could not.
    """
    if run.is_dry:
        _show(run, hosts if is_remote else (), report, registry_tasks.log_out)
        return
    if run.config.registry.is_built_in:
        was_there = own_registry.removed(run.config.registry, Programs(report.output, report.warned))
        report.warned(f"the registry of your own {'is gone; what was pushed stays' if was_there else 'does not run'}")
        return
    if is_local:
        report.phase_began("logout", [])
        local_registry.log_out(run)
        report.phase_ended("logout", succeeded=True)
    if is_remote:
        act(run, hosts, report, LOG_OUT)


def _show(run: Run, hosts: Collection[str], report: Report, decide: Decide) -> None:
    """Say what a dry run would change on hosts; this machine's Docker is not asked."""
    if hosts and not run.config.registry.is_built_in:
        report.planned(preview(run, hosts, decide))
