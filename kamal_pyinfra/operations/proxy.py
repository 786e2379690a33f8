"""How changes of the proxy are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyinfra.api.command import StringCommand

from kamal_pyinfra.operations.audit import Audits, audited
from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.operations.run_state import current_host, current_state, observe, run_state
from kamal_pyinfra.plan.changes import (
    Change,
    RebootProxy,
    RemoveEnvFile,
    RemoveProxy,
    RemoveProxyImage,
    ReplaceProxy,
    RunProxy,
    StartProxy,
    SwitchProxy,
)
from kamal_pyinfra.plan.diff.proxy import running_gates
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.shell import image as image_commands
from kamal_pyinfra.shell.container import remove as remove_container
from kamal_pyinfra.shell.container import start, stop
from kamal_pyinfra.shell.host import remove_files
from kamal_pyinfra.shell.proxy import container as commands
from kamal_pyinfra.shell.proxy.container import with_proxy_lock
from kamal_pyinfra.shell.script import chain, guarded

SWITCH_SECONDS = 60


def run_or_replace(run: Run, change: RunProxy) -> Iterator[StringCommand]:
    """A proxy as configured; nothing where another service changed it since the snapshot.

    Where the run boots the app, the old proxy stays aside until the gate has been passed, unless the new one is proven.
    """
    observed = observe(run)
    there, proxy = observed.container(change.proxy.name), change.proxy
    script = _command(change, observed, keeps_old=run.behaviour.boots_app)
    if isinstance(change, ReplaceProxy) and run.behaviour.boots_app and current_state().is_executing:
        run_state(current_state()).new_proxy_on.add(current_host().name)
    whole = commands.with_proxy_lock_if_unchanged(script, proxy=proxy, observed=there.id if there else "")
    yield StringCommand(pulling(run, whole))


def _command(change: RunProxy, observed: ObservedHost, *, keeps_old: bool) -> str:
    match change:
        case ReplaceProxy():
            return commands.replace_by_working(change.proxy, _routed(change, observed), keeps_old=keeps_old)
        case StartProxy():
            return start(change.proxy.name)
    return commands.run(change.proxy)


def _routed(change: RunProxy, observed: ObservedHost) -> tuple[Gate, ...]:
    running = (container for container in observed.containers if container.is_running)
    return running_gates(running, proxy_arguments(change.proxy))


def reboot(run: Run, change: RebootProxy) -> Iterator[StringCommand]:
    """A new proxy as configured, which serves."""
    new = commands.replace_by_serving if change.is_there else commands.run_serving
    script = chain(new(change.proxy, _routed(change, observe(run))), audited(run, "Rebooted traefik"))
    yield StringCommand(pulling(run, with_proxy_lock(script)))


def switch(run: Run, change: SwitchProxy) -> Iterator[StringCommand]:
    """The proxy stopped, started, or both, as it is."""
    stopping = chain(stop(change.name), audited(run, "Stopped traefik")) if change.stops else ""
    starting = chain(start(change.name), audited(run, "Started traefik")) if change.starts else ""
    yield _at_once(chain(stopping, starting))


def remove(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[StringCommand]:
    """No proxy, nor its image and secrets."""
    yield _at_once(chain(*(_removal(run, change) for change in changes)))


def _removal(run: Run, change: Change) -> str:
    match change:
        case RemoveProxy(name=name):
            return chain(stop(name), remove_container(name), audited(run, "Removed traefik container"))
        case RemoveProxyImage(image=image):
            return chain(image_commands.remove((image,)), audited(run, "Removed traefik image"))
        case RemoveEnvFile(path=path):
            return remove_files((path,))
    raise TypeError(change)


def _at_once(script: str) -> StringCommand:
    """A change that takes a moment; another run's is waited for as long again."""
    return StringCommand(guarded(with_proxy_lock(script, seconds=SWITCH_SECONDS), seconds=2 * SWITCH_SECONDS))
