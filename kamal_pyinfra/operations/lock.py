"""The deploy lock on the primary host."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra import naming
from kamal_pyinfra.commands import lock as commands
from kamal_pyinfra.commands.shell import chain
from kamal_pyinfra.config.holder import is_dead
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.run import Run

AUTOMATIC_MESSAGE = "Automatic deploy lock"


def lock_content(run: Run, message: str = AUTOMATIC_MESSAGE) -> str:
    """What this run writes into its lock."""
    return commands.details(
        locked_by=run.locked_by,
        at=run.started_at,
        version=run.version,
        message=message,
        holder=run.holder,
    )


@operation()
def held(run: Run, message: str = AUTOMATIC_MESSAGE) -> Generator[StringCommand, None, None]:
    """This run holds the lock; on hosts other than the primary nothing happens.

    + run: the run's fixed values.
    + message: why it is locked.

    A lock that a killed process of this machine left behind is taken over.
    """
    host = current_host()
    if host.name != run.config.primary_host:
        host.noop("the lock is on the primary host")
        return
    _, observed = look(run)
    directory = naming.lock_directory(run.config)
    left_behind = observed.lock if observed.lock and is_dead(observed.lock.holder) else None
    yield StringCommand(
        chain(
            commands.release_own(directory, left_behind.content) if left_behind else "",
            f"{{ {commands.acquire(directory, lock_content(run, message))}; }}",
        )
    )


@operation()
def released(run: Run, message: str = AUTOMATIC_MESSAGE) -> Generator[StringCommand, None, None]:
    """This run's lock is gone; somebody else's stays.

    + run: the run's fixed values.
    + message: the one it was taken with.
    """
    host = current_host()
    if host.name != run.config.primary_host:
        host.noop("the lock is on the primary host")
        return
    directory = naming.lock_directory(run.config)
    yield StringCommand(commands.release_own(directory, lock_content(run, message)))
