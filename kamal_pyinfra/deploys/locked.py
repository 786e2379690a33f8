"""What commands other than a deploy do, between lock and unlock, for pyinfra's own command line."""

from __future__ import annotations

from functools import partial

from pyinfra.api.deploy import deploy

from kamal_pyinfra.deploys import host_tasks
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.operations import hook as hooks
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations import proxy
from kamal_pyinfra.operations.observation import current_host, current_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks import remove as prune_tasks


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
        _hook(run, "pre-traefik-reboot", name)
        proxy.rebooted(run=run, name=f"Reboot the proxy of {name}", _if=partial(_is_turn_of, name))
        _hook(run, "post-traefik-reboot", name)
    locks.released(run=run, name="Release the deploy lock")


def _hook(run: Run, hook: str, host: str) -> None:
    if has_hook(run, hook):
        hooks.called(run=run, hook=hook, hosts=(host,), name=f"Call {hook} for {host}")


def _hosts(run: Run) -> list[str]:
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return [server.host for server in run.config.role_hosts if server.host in taking_part]


def _is_turn_of(name: str) -> bool:
    return current_host().name == name
