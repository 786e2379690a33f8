"""Walks the phases and tasks under pyinfra's own command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pyinfra.api.deploy import deploy

from kamal_pyinfra.config import Config
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.deploys.phases import Phase, Step
from kamal_pyinfra.deploys.tasks import run_steps
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.operations import hook as hooks
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations import plan
from kamal_pyinfra.operations.apply import applied
from kamal_pyinfra.operations.run_state import current_host, current_state, run_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.table import TASKS


@deploy("Deploy")
def roll_out(run: Run) -> None:
    """The steps of :mod:`kamal_pyinfra.deploys.phases`.

    With nothing to change the lock is not taken and no hook called. The condition is asked when pyinfra executes,
    not before.
    """
    plan.accepted(run=run, name="Look at the host")
    hosts = hosts_within_limit(run.config)
    conditions: dict[Phase, Callable[[], bool]] = {
        phases.LOCK: partial(plan.has_changes, run),
        phases.UNLOCK: phases.is_under_way,
    }
    for step in current_host().loop(phases.steps(run, lambda: hosts)):
        if step.phase is None:
            _do_here(run, step)
            continue
        condition = {"_if": conditions[step.phase]} if step.phase in conditions else {}
        for arguments in current_host().loop(step.rounds):
            step.phase.deploy(run=run, **arguments, **condition)


def _do_here(run: Run, step: Step) -> None:
    if step.hook and has_hook(run, step.hook):
        hooks.called(run=run, hook=step.hook, name=f"Call {step.hook}", _if=_has_changed)
    if step.pause:
        hooks.kept(run=run, seconds=step.pause, name="Wait between batches", _if=phases.is_under_way)


def _has_changed() -> bool:
    """Whether there was anything to do, also once the lock is released."""
    return run_state(current_state()).has_changed


def hosts_within_limit(config: Config) -> tuple[str, ...]:
    """The hosts of this run in the order of the configuration."""
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return tuple(server.host for server in config.all_hosts if server.host in taking_part)


@deploy("Push env files")
def push_env_locked(run: Run) -> None:
    """Lock → env files → unlock."""
    locks.held(run=run, name="Take the deploy lock")
    run_steps(run=run, task=TASKS["env push"])
    locks.released(run=run, name="Release the deploy lock")


@deploy("Prune")
def prune_locked(run: Run) -> None:
    """Lock → prune → unlock."""
    locks.held(run=run, name="Take the deploy lock")
    run_steps(run=run, task=TASKS["prune all"].given(retain=run.config.retain_containers))
    locks.released(run=run, name="Release the deploy lock")


@deploy("Reboot the proxies")
def reboot_proxies_locked(run: Run) -> None:
    """Lock → (reboot → serves again) per host → unlock; a proxy that does not serve stops the rest."""
    locks.held(run=run, name="Take the deploy lock")
    task = TASKS["traefik reboot"]
    run_steps(run=run, task=replace(task, steps=task.steps[:-1]))
    for name in current_host().loop(_hosts(run)):
        _task_hook(run, "pre-traefik-reboot", name)
        applied(
            run=run,
            decide=task.decide,
            kinds=task.steps[-1].kinds,
            name=f"Reboot the proxy of {name}",
            _if=partial(_is_turn_of, name),
        )
        _task_hook(run, "post-traefik-reboot", name)
    locks.released(run=run, name="Release the deploy lock")


def _task_hook(run: Run, hook: str, host: str) -> None:
    if has_hook(run, hook):
        hooks.called(run=run, hook=hook, hosts=(host,), name=f"Call {hook} for {host}")


def _hosts(run: Run) -> list[str]:
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return [server.host for server in run.config.role_hosts if server.host in taking_part]


def _is_turn_of(name: str) -> bool:
    return current_host().name == name
