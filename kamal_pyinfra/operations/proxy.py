"""The proxy of a host."""

from __future__ import annotations

from collections.abc import Callable, Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.operations.run_state import current_host, look, seen
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.containers import RemoveProxy, RemoveProxyImage, ReplaceProxy, RunProxy, StartProxy
from kamal_pyinfra.plan.changes.host import RemoveEnvFile
from kamal_pyinfra.plan.diff.gates import running_gates
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from kamal_pyinfra.shell import image as image_commands
from kamal_pyinfra.shell.files import remove_files
from kamal_pyinfra.shell.proxy import container as commands
from kamal_pyinfra.shell.proxy.container import (
    replace_by_serving,
    replace_by_working,
    run_serving,
    serving_functions,
    with_proxy_lock,
    with_proxy_lock_if_unchanged,
)
from kamal_pyinfra.shell.script import chain, guarded

SWITCH_SECONDS = 60

STOPPED = (commands.stop, "Stopped traefik")
STARTED = (commands.start, "Started traefik")
Step = tuple[Callable[[str], str], str]
"""A command on the container, and what the audit log says once it is done."""


@operation()
def running(run: Run) -> Generator[StringCommand, None, None]:
    """Traefik runs as ``traefik:`` says.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    changes = diff_proxy(desired, observed)
    if not changes:
        current_host().noop("the proxy runs as configured")
        return
    announce(changes)
    for change in changes:
        yield StringCommand(pulling(run, _if_unmoved(change, observed)))


@operation(is_idempotent=False)
def rebooted(run: Run) -> Generator[StringCommand, None, None]:
    """A new Traefik runs as ``traefik:`` says, and serves.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    changes = proxy_tasks.diff_rebooted_proxy(desired, observed)
    if not changes:
        current_host().noop("no proxy belongs here")
        return
    announce(changes)
    for change in changes:
        new = replace_by_serving if isinstance(change, ReplaceProxy) else run_serving
        running = (each for each in observed.containers if each.is_running)
        routed = running_gates(running, proxy_arguments(change.proxy))
        script = chain(new(change.proxy, routed), audited(run, "Rebooted traefik"))
        yield StringCommand(pulling(run, f"{serving_functions()}{with_proxy_lock(script)}"))


@operation()
def started(run: Run) -> Generator[StringCommand, None, None]:
    """The Traefik that is there runs, as it is.

    + run: the run's fixed values.
    """
    yield from _switched(run, proxy_tasks.start(run, seen(run)).changes, STARTED)


@operation()
def stopped(run: Run) -> Generator[StringCommand, None, None]:
    """Traefik does not run.

    + run: the run's fixed values.
    """
    yield from _switched(run, proxy_tasks.stop(run, seen(run)).changes, STOPPED)


@operation(is_idempotent=False)
def restarted(run: Run) -> Generator[StringCommand, None, None]:
    """The Traefik that is there was stopped and started, as it is.

    + run: the run's fixed values.
    """
    yield from _switched(run, proxy_tasks.restart(run, seen(run)).changes, STOPPED, STARTED)


@operation()
def removed(run: Run, decide: Decide) -> Generator[StringCommand, None, None]:
    """No Traefik, nor its image and secrets.

    + run: the run's fixed values.
    + decide: what goes; nothing where another service needs it.
    """
    changes = decide(run, seen(run)).changes
    if not changes:
        current_host().noop("no proxy is to be removed")
        return
    announce(changes)
    yield _at_once(chain(*(_removal(run, change) for change in changes)))


def _switched(run: Run, changes: tuple[Change, ...], *steps: Step) -> Generator[StringCommand, None, None]:
    if not changes:
        current_host().noop("the proxy is as it should be")
        return
    announce(changes)
    done = (chain(command(changes[0].subject), audited(run, message)) for command, message in steps)
    yield _at_once(chain(*done))


def _at_once(script: str) -> StringCommand:
    """A change that takes a moment; another run's is waited for as long again."""
    return StringCommand(guarded(with_proxy_lock(script, seconds=SWITCH_SECONDS), seconds=2 * SWITCH_SECONDS))


def _if_unmoved(change: Change, observed: ObservedHost) -> str:
    """A change of a proxy that another service may have changed since the look."""
    if not isinstance(change, RunProxy):
        raise TypeError(change)
    there = observed.container(change.proxy.name)
    script = with_proxy_lock_if_unchanged(
        _command(change, observed), proxy=change.proxy, seen=there.id if there else ""
    )
    return f"{serving_functions()}{script}" if isinstance(change, ReplaceProxy) else script


def _command(change: RunProxy, observed: ObservedHost) -> str:
    match change:
        case ReplaceProxy():
            running = (each for each in observed.containers if each.is_running)
            return replace_by_working(change.proxy, running_gates(running, proxy_arguments(change.proxy)))
        case StartProxy():
            return commands.start(change.proxy.name)
        case RunProxy():
            return commands.run(change.proxy)


def _removal(run: Run, change: Change) -> str:
    match change:
        case RemoveProxy():
            return chain(commands.remove(change.name), audited(run, "Removed traefik container"))
        case RemoveProxyImage():
            return chain(image_commands.remove((change.image,)), audited(run, "Removed traefik image"))
        case RemoveEnvFile():
            return remove_files((change.path,))
    raise TypeError(change)
