"""The deploy lock on the primary host."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator

import gevent
from paramiko import SSHException
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.util import log_host_command_error

from kamal_pyinfra import naming
from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.local.new_run import is_dead
from kamal_pyinfra.operations import lease
from kamal_pyinfra.operations.audit import audited, is_needed
from kamal_pyinfra.operations.run_state import LockAttempt, current_host, current_state, observe, run_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.shell import lock as commands
from kamal_pyinfra.shell.script import chain
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import one_line

AUTOMATIC_MESSAGE = "Automatic deploy lock"
POLL_SECONDS = (0.7, 1.3)
"""Between two attempts to take a held lock, by chance, so that those who wait do not come all at once."""
BUSY_SECONDS, MOST_PAUSES = 0.05, 3
"""An attempt that takes longer than this tells of a busy host, or of a far one: a run that waits then asks less often,
down to a third. Twenty runs that waited on a busy machine were through after 61 s so, and after 209 s where only an
attempt of 0.2 s counted as long."""


def lock_content(run: Run, message: str = AUTOMATIC_MESSAGE) -> str:
    """What this run writes into its lock."""
    return commands.details(
        locked_by=run.locked_by,
        at=run.started_at,
        version=run.version,
        message=message,
        holder=run.holder,
        command=" ".join(run.words) or run.command,
    )


@operation()
def held(
    run: Run, message: str = AUTOMATIC_MESSAGE, on_wait: Callable[[str], object] | None = None
) -> Generator[FunctionCommand, None, None]:
    """This run holds the lock on the primary host; where it may, it waits until the lock is free.

    + message: why it is locked.
    + on_wait: called with who has it, in place of pyinfra's log.

    A lock that a killed process of this machine left behind is taken over, and with ``--lock-wait`` a stale one. As
    long as the run lasts the lock's lease is renewed.
    """
    if not is_needed(current_host().name == lock_host(run), otherwise="the lock is on the primary host"):
        return
    directory, content = naming.lock_directory(run.config), lock_content(run, message)
    left = observe(run).lock if current_host().name == run.config.primary_host else None
    yield FunctionCommand(_take, (run, content, left, on_wait), {})
    state, renewal = current_state(), commands.renew(directory, content, lease=lease.SECONDS)
    primary, ours = state.inventory.get_host(run.config.primary_host), run_state(state)
    ours.is_locked = ours.has_changed = True
    ours.lease.begin(lambda: lease.renewed(state, primary, renewal))
    ours.snapshots.clear()  # what was known of the hosts may be out of date


@operation()
def released(run: Run, message: str = AUTOMATIC_MESSAGE) -> Generator[str | FunctionCommand, None, None]:
    """This run's lock, taken with this message, is gone; another run's stays."""
    if not is_needed(current_host().name == lock_host(run), otherwise="the lock is on the primary host"):
        return
    ours = run_state(current_state())
    ours.lease.end()
    command = release_command(run, message, ours.outcome or ours.ends())
    if current_host().name == run.config.primary_host:
        yield command
    else:
        yield FunctionCommand(run_on_primary, (run, command), {})
    ours.is_locked = False


def release_command(run: Run, message: str = AUTOMATIC_MESSAGE, outcome: str = "") -> str:
    """What releases this run's lock, and records in the audit log how the run ended."""
    release = commands.release_own(naming.lock_directory(run.config), lock_content(run, message))
    # Whether or not there is a log to write to, the lock must go.
    return f"{{ {audited(run, outcome)}; }} 2> /dev/null; {release}" if outcome else release


def may_release(run: Run, lock: LockDetails) -> bool:
    """Whether the user may free a lock without force: it is his own and no run uses it, or its run is gone."""
    if lock.is_stale or not lock.content or is_dead(lock.holder, run.holder):
        return True
    return lock.owner == run.locked_by and not lock.is_renewed


def lock_host(run: Run) -> str:
    """The host that takes and releases the lock: the primary, or without it the first that takes part."""
    state = current_state()
    names = [host.name for host in state.inventory if host in state.active_hosts]
    return run.config.primary_host if run.config.primary_host in names else names[0]


def clearing_command(run: Run, held_by: LockDetails | None, *, is_waiting: bool = False) -> str:
    """What removes the lock that a killed process of this machine left behind, and a stale one if the run waits."""
    was_killed = held_by is not None and is_dead(held_by.holder, run.holder)
    if held_by is None or not (was_killed or (is_waiting and held_by.is_stale)):
        return ""
    return commands.take_over(naming.lock_directory(run.config), held_by.content, is_expired=not was_killed)


def run_on_primary(state: State, host: Host, run: Run, command: str) -> bool:
    """Run a command on the primary host from another host's operation, connecting to it if need be."""
    succeeded, output = execute(_primary(state, run), command)
    for line in output.stdout_lines + output.stderr_lines:
        host.log(line)
    return succeeded


def _primary(state: State, run: Run) -> Host:
    primary = state.inventory.get_host(run.config.primary_host)
    if not primary.connected:
        primary.connect(reason="it holds the deploy lock", raise_exceptions=True)
    return primary


def pause_after(seconds: float) -> float:
    """How long to wait until a held lock is asked for again, if the last attempt took so many seconds."""
    return random.uniform(*POLL_SECONDS) * min(max(seconds / BUSY_SECONDS, 1), MOST_PAUSES)  # noqa: S311


def waiting_message(lock: LockDetails, seconds: float) -> str:
    """What a run prints that waits for a lock."""
    what = f"`{one_line(lock.command)}` of " if lock.command else ""
    return f"waiting up to {seconds:.0f} s for the deploy lock held by {what}{one_line(lock.locked_by)}"


def _take(
    state: State, host: Host, run: Run, content: str, left: LockDetails | None, on_wait: Callable[[str], object] | None
) -> bool:
    """Take the lock, as soon as it is free or its run is gone, within the seconds that the run may wait."""
    deadline, shown = time.monotonic() + (run.lock_wait or 0), ""
    while True:
        began = time.monotonic()
        attempt = run_state(state).lock = _try_to_take(state, host, run, content, left)
        took, left = time.monotonic() - began, attempt.held_by
        if attempt.is_taken or left is None or time.monotonic() >= deadline:
            for line in attempt.output:
                host.log(line)
            return attempt.is_taken
        if left.content != shown:
            shown = left.content
            (on_wait or host.log)(waiting_message(left, deadline - time.monotonic()))
        gevent.sleep(min(pause_after(took), max(0.0, deadline - time.monotonic())))


def _try_to_take(state: State, host: Host, run: Run, content: str, left: LockDetails | None) -> LockAttempt:
    clearing = clearing_command(run, left, is_waiting=run.lock_wait is not None)
    acquire = commands.acquire(naming.lock_directory(run.config), content, lease=lease.SECONDS)
    run_state(state).lease.ask()
    try:
        succeeded, output = execute(_primary(state, run), chain(clearing, f"{{ {acquire}; }}"))
    except (OSError, SSHException) as error:
        log_host_command_error(host, error)
        return LockAttempt()
    held_by = commands.answer(output.stdout_lines, commands.HELD)
    return LockAttempt(
        is_taken=succeeded,
        mark=(commands.answer(output.stdout_lines, commands.TAKEN) or "").strip(),
        held_by=None if succeeded or held_by is None else parse_lock(held_by),
        output=() if succeeded else tuple(output.stdout_lines + output.stderr_lines),
    )
