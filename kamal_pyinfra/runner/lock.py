"""The lock around a command, waiting for it, and ``kp lock``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kamal_pyinfra import naming
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.errors import NOTHING_CHANGED, HostFailed, Interrupted, LockHeld
from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.operations.lock import clearing_command, lock_content, may_release
from kamal_pyinfra.operations.run_state import drop_snapshots, keep_snapshots, run_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner.failures import HostFailure, failure_message, lock_message, release_refusal
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell import lock as lock_commands
from kamal_pyinfra.shell.lock import tells
from kamal_pyinfra.text import sanitized

if TYPE_CHECKING:
    from kamal_pyinfra.runner.session import Steps

SECONDS = 10
"""A look is not trusted for longer: things change without a lock too."""


def is_unmoved(session: Session) -> bool:
    """Whether nobody took or gave back a lock between the last look and this run's own lock, taken just now."""
    looked, mark = session.looks.get(session.run.config.primary_host), run_state(session.state).lock.mark
    return looked is not None and tells(mark) and mark == looked.lock_mark


def keep_or_forget(session: Session, *, is_unmoved: bool) -> None:
    """Let the coming phases decide on the looks that the plan was made from, or look again.

    Args:
        session: holds the lock.
        is_unmoved: what :func:`is_unmoved` said.
    """
    is_young = time.monotonic() - session.looked_at < SECONDS
    drop_snapshots(session.state)
    if is_unmoved and is_young and not session.run.is_setup and not has_hook(session.run, "pre-deploy"):
        keep_snapshots(session.state, session.looks)


NOT_RELEASED = (
    "The deploy lock could not be released and is still there; see `kp lock status`, and run `kp lock release`. "
    "Without that it becomes stale by itself."
)

STAYS = "What was done by then stays."


@contextmanager
def locked(steps: Steps) -> Iterator[bool]:
    """Hold the lock on the primary host; it is given back whatever happens inside.

    Returns:
        Whether nobody else had it since the session's last look at the hosts.

    Raises:
        LockHeld: somebody else has it; nothing was changed.
        LockLost: it was taken away meanwhile.
        HostFailed: it could not be taken, and nothing was changed; or it could not be given back.
    """
    try:
        _take(steps)
    except Interrupted as error:
        _release_after_failure(steps)  # it may have been taken just before the signal
        raise Interrupted(error.signal_number, NOTHING_CHANGED) from error
    try:
        with what_is_done_stays():
            yield is_unmoved(steps.session)
    except BaseException:
        _release_after_failure(steps)
        raise
    left = _release(steps)
    if left is not None:
        raise HostFailed(failure_message([left], NOT_RELEASED), [left.host])


@contextmanager
def what_is_done_stays() -> Iterator[None]:
    """Say so when a signal comes; a deploy says what it took back instead.

    Raises:
        Interrupted: a signal came.
    """
    try:
        yield
    except Interrupted as error:
        raise Interrupted(error.signal_number, error.fleet or STAYS) from error


def clear_left_behind(session: Session) -> None:
    """Remove the lock of a killed process of this machine, for a run that has nothing to change and takes none."""
    primary = session.run.config.primary_host
    looked = session.looks.get(primary)
    command = clearing_command(session.run, looked.lock if looked is not None else None)
    if command:
        session.execute(command, hosts=[primary])


def _take(steps: Steps) -> None:
    """Take the lock, as soon as it is free if the run may wait for it."""
    session, primary = steps.session, steps.session.run.config.primary_host
    drop_snapshots(session.state)
    keep_snapshots(session.state, session.looks)  # whoever holds it was seen; taking over compares again
    if steps.phase("lock", phases.lock, hosts=[primary], arguments={"on_wait": steps.report.warned}):
        return
    attempt, failure = run_state(session.state).lock, session.failures[primary]
    if attempt.held_by is not None:
        raise LockHeld(lock_message(attempt.held_by, waited=session.run.lock_wait or 0))
    if attempt.output:
        failure = replace(failure, output=tuple(sanitized(line) for line in attempt.output))
    raise HostFailed(failure_message([failure], NOTHING_CHANGED), [failure.host])


def _release_after_failure(steps: Steps) -> None:
    """Give the lock back; what failed before is what the run ends with, so that it is only told if this fails too."""
    left = _release(steps)
    if left is not None:
        steps.report.warned("\n".join([f"{left.host}: {NOT_RELEASED}", *(f"  {line}" for line in left.output)]))


def _release(steps: Steps) -> HostFailure | None:
    """Give the lock back, trying twice where the connection may be at fault.

    Returns:
        Why it is still there; ``None`` if it is not.
    """
    session, primary = steps.session, steps.session.run.config.primary_host
    run_state(session.state).lease.end()
    failures = dict(session.failures)
    left: HostFailure | None = None
    for _ in range(2):
        session.readmit()
        session.failures = {}
        if not session.is_active(primary):  # a phase without hosts would count as done
            left = HostFailure(host=primary, phase="unlock", operation="", output=("it cannot be reached",))
        elif steps.phase("unlock", phases.unlock, hosts=[primary]):
            left = None
            break
        else:
            left = session.failures.get(primary) or HostFailure(host=primary, phase="unlock", operation="", output=())
    session.failures = failures
    return left


def lock_status(run: Run) -> LockDetails | None:
    """Who holds the lock; ``None`` if nobody does.

    Raises:
        HostFailed: the primary host could not be reached.
    """
    primary = run.config.primary_host
    with interruptible(), Session(run, [primary]) as session:
        return session.observe()[primary].lock


def acquire_lock(run: Run, message: str) -> None:
    """Take the lock until it is released by hand.

    Raises:
        LockHeld: somebody has it. HostFailed: it could not be taken.
    """
    if run.is_dry:
        lock = lock_status(run)
        if lock is not None:
            raise LockHeld(lock_message(lock))
        return
    # No process stands behind a lock taken by hand, so none must be found dead.
    content = lock_content(replace(run, holder=""), message)
    output = _on_primary(run, lock_commands.acquire(naming.lock_directory(run.config), content))
    if (held := lock_commands.answer(output, lock_commands.HELD)) is not None:
        raise LockHeld(lock_message(parse_lock(held)))
    if lock_commands.answer(output, lock_commands.TAKEN) is None:
        raise _unconfirmed(run, "taken")


def release_lock(run: Run, *, is_forced: bool) -> bool:
    """Free one's own lock, a stale one, or one without a name; or any.

    Args:
        run: says who asks.
        is_forced: whoever holds it, and also while a run renews it.

    Returns:
        Whether there was one.

    Raises:
        LockHeld: it is somebody else's, or in use. HostFailed: the primary host could not be reached, or did not
            confirm that the lock is gone.
    """
    directory = naming.lock_directory(run.config)
    state = lock_commands.answer(_on_primary(run, lock_commands.state(directory)), lock_commands.STATE)
    if state is None:
        return False
    release, lock = lock_commands.release(directory), parse_lock(state)
    if not is_forced:
        if not may_release(run, lock):
            raise LockHeld(release_refusal(lock, run.locked_by))
        release = lock_commands.release_own(directory, lock.content)
    if run.is_dry:
        return True
    output = _on_primary(run, f"{lock_commands.confirmed(directory, release)}; true")
    if lock_commands.answer(output, lock_commands.RELEASED) is None:
        raise _unconfirmed(run, "released")
    return True


def _on_primary(run: Run, command: str) -> list[str]:
    primary = run.config.primary_host
    with interruptible(), Session(run, [primary]) as session:
        session.require_hosts()
        succeeded, output = session.execute(command)[primary]
    if not succeeded and lock_commands.answer(output.stdout_lines, lock_commands.HELD) is None:
        said = "\n".join(sanitized(line) for line in output.stderr_lines)
        raise HostFailed(f"{primary} failed\n{said}", [primary])
    return list(output.stdout_lines)


def _unconfirmed(run: Run, what: str) -> HostFailed:
    primary = run.config.primary_host
    return HostFailed(f"{primary} did not confirm that the lock is {what}; `kp lock status` shows it", [primary])
