"""The proxy of a host."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.commands import proxy as commands
from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.image import PULL_SECONDS
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.changes import Change, ReplaceProxy, RunProxy, StartProxy
from kamal_pyinfra.plan.diff import diff_proxy
from kamal_pyinfra.plan.run import Run


@operation()
def running(run: Run) -> Generator[StringCommand, None, None]:
    """Traefik runs as ``traefik:`` says.

    + run: the run's fixed values.
    """
    changes = diff_proxy(*look(run))
    if not changes:
        current_host().noop("the proxy runs as configured")
        return
    announce(changes)
    for change in changes:
        yield StringCommand(guarded(_command(change), seconds=PULL_SECONDS))


def _command(change: Change) -> str:
    match change:
        case ReplaceProxy():
            return commands.replace(change.proxy)
        case StartProxy():
            return commands.start(change.proxy)
        case RunProxy():
            return commands.run(change.proxy)
    raise TypeError(change)
