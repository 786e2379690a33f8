"""The lock around a command, waiting for it, and ``kp lock``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
from kamal_pyinfra.runner.session import Session, interruptible, when_interrupted
from kamal_pyinfra.shell import lock as lock_commands
from kamal_pyinfra.text import sanitized

SECONDS = 10
"""A snapshot is not trusted for longer: things change without a lock too."""
NOT_RELEASED = (
    "The deploy lock could not be released and is still there; see `kp lock status`, and run `kp lock release`. "
    "Without that it becomes stale by itself."
)
STAYS = "What was done by then stays."


def is_unchanged(session: Session) -> bool:
    """Whether no lock was taken or released between the last snapshot and this run's own lock, taken just now."""
    snapshot, mark = session.snapshots.get(session.run.config.primary_host), run_state(session.state).lock.mark
    return snapshot is not None and lock_commands.is_exact(mark) and mark == snapshot.lock_mark


def reuse_snapshots_if_fresh(session: Session, *, is_unchanged: bool) -> None:
    """Let the phases under the lock decide on the snapshots that the plan was made from, or take new ones."""
    is_young = time.monotonic() - session.snapshots_at < SECONDS
    drop_snapshots(session.state)
    if is_unchanged and is_young and not session.run.is_setup and not has_hook(session.run, "pre-deploy"):
        keep_snapshots(session.state, session.snapshots)


@contextmanager
def locked(session: Session) -> Iterator[bool]:
    """Hold the lock on the primary host; yield whether no other run had it since the session's last snapshots."""
    try:
        _take(session)
    except Interrupted as error:
        _release_after_failure(session)  # it may have been taken just before the signal
        raise Interrupted(error.signal_number, NOTHING_CHANGED) from error
    try:
        with when_interrupted(STAYS):
            yield is_unchanged(session)
    except BaseException:
        _release_after_failure(session)
        raise
    if left := _release(session):
        raise HostFailed(failure_message([left], NOT_RELEASED), [left.host])


def clear_left_behind(session: Session) -> None:
    """Remove the lock of a killed process of this machine, for a run that has nothing to change and takes none."""
    primary = session.run.config.primary_host
    snapshot = session.snapshots.get(primary)
    if command := clearing_command(session.run, snapshot.lock if snapshot is not None else None):
        session.execute(command, hosts=[primary])


def _take(session: Session) -> None:
    """Take the lock, as soon as it is free if the run may wait for it."""
    primary = session.run.config.primary_host
    drop_snapshots(session.state)
    keep_snapshots(session.state, session.snapshots)  # these have who holds it; taking over compares again
    if session.phase("lock", phases.lock, hosts=[primary], on_wait=session.report.warned):
        return
    attempt, failure = run_state(session.state).lock, session.failures[primary]
    if attempt.held_by is not None:
        raise LockHeld(lock_message(attempt.held_by, waited=session.run.lock_wait or 0))
    if attempt.output:
        failure = replace(failure, output=tuple(sanitized(line) for line in attempt.output))
    raise HostFailed(failure_message([failure], NOTHING_CHANGED), [failure.host])


def _release_after_failure(session: Session) -> None:
    """Release the lock; the run ends with what failed before, so a failure of this is a warning."""
    if left := _release(session):
        session.report.warned("\n".join([f"{left.host}: {NOT_RELEASED}", *(f"  {line}" for line in left.output)]))


def _release(session: Session) -> HostFailure | None:
    """Release the lock, trying twice where the connection may be at fault; return why it is still there."""
    primary = session.run.config.primary_host
    run_state(session.state).lease.end()
    for _ in range(2):
        left = HostFailure(host=primary, phase="unlock")
        with session.clean_up() as failures:
            if not session.is_active(primary):  # a phase without hosts would count as done
                left = replace(left, output=("it cannot be reached",))
            elif session.phase("unlock", phases.unlock, hosts=[primary]):
                return None
            left = failures.get(primary, left)
    return left


def lock_status(run: Run) -> LockDetails | None:
    """Return who holds the lock; ``None`` if it is free."""
    primary = run.config.primary_host
    with interruptible(), Session(run, [primary]) as session:
        return session.observe()[primary].lock


def acquire_lock(run: Run, message: str) -> None:
    """Take the lock until it is released by hand."""
    if run.is_dry:
        if lock := lock_status(run):
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
    """Free one's own lock, a stale one, or one without a name; by force any, also while a run renews it.

    Returns:
        Whether there was one.
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
        printed = "\n".join(sanitized(line) for line in output.stderr_lines)
        raise HostFailed(f"{primary} failed\n{printed}", [primary])
    return list(output.stdout_lines)


def _unconfirmed(run: Run, what: str) -> HostFailed:
    primary = run.config.primary_host
    return HostFailed(f"{primary} did not confirm that the lock is {what}; `kp lock status` shows it", [primary])
