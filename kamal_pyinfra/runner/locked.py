"""The deploy lock around a command's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kamal_pyinfra import deploys
from kamal_pyinfra.commands.lock import HELD
from kamal_pyinfra.errors import HostFailed, Interrupted, LockHeld
from kamal_pyinfra.facts.parse_snapshot import parse_lock
from kamal_pyinfra.operations.observation import forget
from kamal_pyinfra.runner.steps import Steps
from kamal_pyinfra.runner.words import failure_message, lock_message


@contextmanager
def locked(steps: Steps) -> Iterator[None]:
    """Hold the lock on the primary host; it is given back whatever happens inside.

    Raises:
        LockHeld: somebody else has it; nothing was changed.
        HostFailed: it could not be taken; nothing was changed.
    """
    try:
        _take(steps)
    except Interrupted:
        _release(steps)  # it may have been taken just before the signal
        raise
    try:
        yield
    finally:
        _release(steps)


def _take(steps: Steps) -> None:
    session = steps.session
    primary = session.run.config.primary_host
    forget(session.state)
    if steps.phase("lock", deploys.lock, hosts=[primary]):
        forget(session.state)
        return
    failure = session.failures[primary]
    for line in failure.output:
        if line.startswith(HELD):
            raise LockHeld(lock_message(parse_lock(line.removeprefix(HELD).strip())))
    raise HostFailed(failure_message([failure], "Nothing was changed."), [failure.host])


def _release(steps: Steps) -> None:
    session = steps.session
    failures = dict(session.failures)
    session.readmit()
    steps.phase("unlock", deploys.unlock, hosts=[session.run.config.primary_host])
    session.failures = failures
