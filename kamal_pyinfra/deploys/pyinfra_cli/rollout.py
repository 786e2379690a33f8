"""Walks the phases and tasks under pyinfra's own command line."""

from __future__ import annotations

from functools import partial

from pyinfra.api.deploy import deploy

from kamal_pyinfra.config import Config
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.deploys import tasks as host_tasks
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.operations import hook as hooks
from kamal_pyinfra.operations import hook as pause
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations import plan, proxy
from kamal_pyinfra.operations.run_state import current_host, current_state, underway
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import remove as prune_tasks


@deploy("Deploy")
def roll_out(run: Run) -> None:
    """observe → build → lock → prepare → (boot → GATE → switch → (watch → retire)) per batch → finish → unlock.

    With nothing to change the lock is not taken and no hook called. The condition is asked when pyinfra executes,
    not before.
    """
    plan.accepted(run=run, name="Look at the host")
    plan.image_built(run=run, name="Build and push the image")
    locks.held(run=run, waits=True, name="Take the deploy lock", _if=lambda: plan.has_changes(run))
    if run.is_setup:
        phases.bootstrap(run=run)
        _hook(run, "docker-setup")
    _hook(run, "pre-deploy")
    phases.prepare(run=run)
    if run.release_host:
        phases.release(run=run)
    all_batches = batches(run)
    for batch in current_host().loop(all_batches):
        phases.boot(run=run, batch=batch)
        phases.switch(run=run, batch=batch)
        for seconds in current_host().loop(run.config.boot.watch_slices):
            phases.watch(run=run, batch=batch, seconds=seconds)
        if run.config.boot.watch is not None:
            phases.retire(run=run, batch=batch)
        seconds = 0 if batch == all_batches[-1] else run.config.boot.pause
        pause.kept(run=run, seconds=seconds, name="Wait between batches", _if=phases.is_under_way)
    phases.finish(run=run)
    locks.released(run=run, name="Release the deploy lock", _if=phases.is_under_way)
    _hook(run, "post-deploy")


def _hook(run: Run, name: str) -> None:
    if has_hook(run, name):
        hooks.called(run=run, hook=name, name=f"Call {name}", _if=_has_worked)


def _has_worked() -> bool:
    """Whether there was anything to do, also once the lock is released."""
    return underway(current_state()).has_worked


def batches(run: Run) -> list[tuple[str, ...]]:
    """The hosts of this run in the order of the configuration, ``boot.limit`` at a time."""
    return run.batches(hosts_within_limit(run.config))


def hosts_within_limit(config: Config) -> tuple[str, ...]:
    """The hosts of this run in the order of the configuration."""
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return tuple(server.host for server in config.all_hosts if server.host in taking_part)


@deploy("Push env files")
def push_env_locked(run: Run) -> None:
    """Lock → env files → unlock."""
    locks.held(run=run, waits=True, name="Take the deploy lock")
    host_tasks.push_env(run=run)
    locks.released(run=run, name="Release the deploy lock")


@deploy("Prune")
def prune_locked(run: Run) -> None:
    """Lock → prune → unlock."""
    decide = partial(prune_tasks.everything, retain=run.config.retain_containers)
    locks.held(run=run, waits=True, name="Take the deploy lock")
    host_tasks.prune(run=run, decide=decide)
    locks.released(run=run, name="Release the deploy lock")


@deploy("Reboot the proxies")
def reboot_proxies_locked(run: Run) -> None:
    """Lock → (reboot → serves again) per host → unlock; a proxy that does not serve stops the rest."""
    locks.held(run=run, waits=True, name="Take the deploy lock")
    host_tasks.prepare_proxy(run=run)
    for name in current_host().loop(_hosts(run)):
        _task_hook(run, "pre-traefik-reboot", name)
        proxy.rebooted(run=run, name=f"Reboot the proxy of {name}", _if=partial(_is_turn_of, name))
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
