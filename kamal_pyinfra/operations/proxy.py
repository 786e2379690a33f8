"""How changes of the proxy are made."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.operations.audit import Audits, audited
from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.operations.run_state import current_host, current_state, observe, run_state
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.diff.proxy import running_gates
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import container, image
from kamal_pyinfra.shell.host import remove_files
from kamal_pyinfra.shell.proxy import container as commands
from kamal_pyinfra.shell.script import chain, guarded

SWITCH_SECONDS = 60


def run_or_replace(run: Run, change: kinds.RunProxy) -> list[str]:
    """A proxy as configured; nothing where another service changed it since the snapshot.

    Where the run boots the app, the old proxy stays aside until the gate has been passed, unless the new one is proven.
    """
    boots_app, there, proxy = run.behaviour.boots_app, observe(run).container(change.proxy.name), change.proxy
    match change.action:
        case kinds.Action.REPLACE:
            script = commands.replace_by_working(proxy, _routed(run, change), keeps_old=boots_app)
            if boots_app and current_state().is_executing:
                run_state(current_state()).new_proxy_on.add(current_host().name)
        case kinds.Action.UPDATE:
            script = container.start(proxy.name)
        case _:
            script = commands.run(proxy)
    whole = commands.with_proxy_lock_if_unchanged(script, proxy=proxy, observed=there.id if there else "")
    return [pulling(run, whole)]


def _routed(run: Run, change: kinds.RunProxy) -> tuple[Gate, ...]:
    return running_gates(observe(run).running, proxy_arguments(change.proxy))


def reboot(run: Run, change: kinds.RebootProxy) -> list[str]:
    """A new proxy as configured, which serves."""
    new = commands.replace_by_serving if change.action is kinds.Action.REPLACE else commands.run_serving
    script = chain(new(change.proxy, _routed(run, change)), audited(run, "Rebooted traefik"))
    return [pulling(run, commands.with_proxy_lock(script))]


def switch(run: Run, change: kinds.SwitchProxy) -> list[str]:
    """The proxy stopped, started, or both, as it is."""
    stopping = chain(container.stop(change.name), audited(run, "Stopped traefik")) if change.stops else ""
    starting = chain(container.start(change.name), audited(run, "Started traefik")) if change.starts else ""
    return _at_once(chain(stopping, starting))


def remove(run: Run, changes: Sequence[kinds.Change], audits: Audits) -> list[str]:
    """No proxy, nor its image and secrets."""
    steps = []
    for change in changes:
        match change:
            case kinds.RemoveProxy(name=name):
                steps += [container.stop(name), container.remove(name), audited(run, "Removed traefik container")]
            case kinds.RemoveProxyImage(image=reference):
                steps += [image.remove((reference,)), audited(run, "Removed traefik image")]
            case kinds.RemoveProxyEnvFile(path=path):
                steps.append(remove_files((path,)))
    return _at_once(chain(*steps))


def _at_once(script: str) -> list[str]:
    """A change that takes a moment; another run's is waited for as long again."""
    return [guarded(commands.with_proxy_lock(script, seconds=SWITCH_SECONDS), seconds=2 * SWITCH_SECONDS)]
