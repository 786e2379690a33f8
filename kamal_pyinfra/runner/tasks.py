"""Runs a row of the table of tasks: snapshot, plan, lock, change, unlock; and what some of them need besides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.secrets import registry_credentials, require_secrets
from kamal_pyinfra.deploys.tasks import deploy_of, purge
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.local import registry as local_registry
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.plan import Plan, task_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.app import stale_containers, version_in_service
from kamal_pyinfra.plan.tasks.table import TASKS, Task
from kamal_pyinfra.runner.lock import STAYS, locked
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.runner.queries.observe import observe
from kamal_pyinfra.runner.session import Session, interruptible, when_interrupted

ALL_ACCESSORIES = "all"


def preview(task: Task, run: Run, hosts: Collection[str]) -> Plan:
    """Plan a task without doing it; no question is asked while connections are open."""
    if task.needs_secrets:
        require_secrets(run.config)
    with interruptible(), Session(run, hosts) as session:
        return task_plan(run, session.observe(), task.decide)


def run_task(
    task: Task, run: Run, hosts: Collection[str], report: Report, *, is_rolling: bool = False, purges: bool = False
) -> None:
    """Do a task; each host goes on when another fails. Without changes the lock is not taken.

    Args:
        is_rolling: one host after the other.
        purges: the audit log goes too; last, for the lock is kept next to it.
    """
    if task.needs_secrets:
        require_secrets(run.config)
    with interruptible(), Session(run, hosts, report) as session:
        if not _is_needed(task, session):
            return
        with locked(session) if task.is_locked else when_interrupted(STAYS):
            groups = [[host] for host in session.hosts] if is_rolling else [session.hosts]
            for number, group in enumerate(groups, start=1):
                _run_group(task, session, group, [host for later in groups[number:] for host in later])
        if purges and not session.phase("purge", purge, is_strict=False):
            session.fail(task.state)
        if task.is_locked:
            report.ended("done")


def _is_needed(task: Task, session: Session) -> bool:
    if not task.is_planned:
        session.require_hosts()
        return True
    run, plan = session.run, task_plan(session.run, session.observe(), task.decide)
    session.report.planned(plan)
    return not run.is_dry and (not plan.is_empty or any(has_hook(run, hook) for hook in filter(None, task.hooks)))


def _run_group(task: Task, session: Session, group: Sequence[str], waiting: Sequence[str]) -> None:
    """One group of hosts, with the hooks around it (Kamal 1.9); the next one's turn comes when this one is through."""
    before, after = task.hooks
    named = group if task.untouched else ()
    if before:
        session.hook(before, hosts=named)
    if not session.phase(task.phase, deploy_of(task), hosts=group, is_strict=False):
        session.fail(task.untouched.format(hosts=", ".join(waiting)) if waiting else task.state)
    if after:
        session.hook(after, hosts=named)


def retained(run: Run, retain: int | None) -> int:
    """Return how many stopped containers of a role stay: as many as asked for, else ``retain_containers``."""
    if retain is not None and retain < 1:
        raise ConfigError("--retain must be at least 1: without a stopped container there is nothing to roll back to")
    return run.config.retain_containers if retain is None else retain


def proxy_hosts(run: Run, hosts: Collection[str]) -> tuple[str, ...]:
    """Return those of the hosts that run a proxy: a role behind it is on them."""
    routed = [role for role in run.config.roles if run.includes(role.name) and role.running_traefik]
    found = tuple(host for host in hosts if any(host in role.hosts for role in routed))
    if not found:
        raise ConfigError("No selected host runs the proxy: no role on it has `traefik: true`")
    return found


def in_service(run: Run, hosts: Collection[str]) -> str:
    """Return the version that hosts have in service, for a command that gets none."""
    return version_in_service(run, observe(run, hosts))


def stale(run: Run, hosts: Collection[str]) -> list[tuple[str, str, str]]:
    """Return host, container and version of what runs besides the version in service."""
    return [
        (host, container.name, container.version)
        for host, observed in observe(run, hosts).items()
        for container, _ in stale_containers(run, observed)
    ]


def change_credentials(
    name: str, run: Run, hosts: Collection[str], report: Report, *, is_local: bool, is_remote: bool
) -> None:
    """Log this machine's Docker in to the registry or out of it, then the hosts'; end one that kp starts itself."""
    task, registry, is_login = TASKS[name], run.config.registry, name == "registry login"
    if run.is_dry:
        if is_remote and not registry.is_built_in:  # this machine's Docker is not asked
            report.planned(preview(task, run, hosts))
    elif registry.is_built_in and is_login:
        report.warned("the built-in registry takes no login, and starts when it is needed")
    elif registry.is_built_in:
        was_there = local_registry.removed(registry, Programs(report.output, report.warned))
        report.warned(f"the built-in registry {'is gone; what was pushed stays' if was_there else 'does not run'}")
    else:
        if is_login:
            registry_credentials(run.config)
        if is_local:
            with report.phase_of_this_machine(task.phase):
                (local_registry.log_in if is_login else local_registry.log_out)(run)
        if is_remote:
            run_task(task, run, hosts, report)


def chosen_accessories(config: Config, name: str) -> tuple[str, ...]:
    """Return the accessories that a name means."""
    if name == ALL_ACCESSORIES and name not in config.accessories:
        return tuple(config.accessories)
    if name not in config.accessories:
        raise ConfigError(unknown_accessory(config, name))
    return (name,)


def unknown_accessory(config: Config, name: str) -> str:
    """Return the message about a name that no accessory has."""
    options = " and ".join(config.accessories) or "none"
    return f"No accessory by the name of {name!r} (options: {options})"


def accessory_run(run: Run, names: tuple[str, ...], command: str) -> Run:
    """Return the run that is about these accessories and nothing else."""
    if command in ("boot", "reboot", "upload"):
        run.config.require_accessory_files(names)
    task = TASKS.get(f"accessory {command}")
    keeps_env = task is None or not task.needs_secrets
    if not keeps_env:
        require_secrets(run.config)
    name = "accessory reboot" if command == "reboot" else "accessory"
    return replace(run, accessories=names, roles=(), command=name, keeps_env=keeps_env)


def accessory_hosts(config: Config, names: Collection[str], hosts: Collection[str]) -> tuple[str, ...]:
    """Return those of the hosts that carry one of the accessories."""
    carriers = {server.host for name in names for server in config.accessory_servers(name)}
    found = tuple(host for host in hosts if host in carriers)
    if not found:
        where = ", ".join(sorted(carriers)) or "no host"
        raise ConfigError(f"No selected host carries {', '.join(names) or 'an accessory'}; {where} does")
    return found
