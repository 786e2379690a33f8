"""The deploy lock on the primary host."""

from __future__ import annotations

import random
import time
from collections.abc import Generator

import gevent
from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra import naming
from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.local.new_run import is_dead
from kamal_pyinfra.operations import lease
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.run_state import current_host, current_state, forget, look, underway
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.shell import lock as commands
from kamal_pyinfra.shell.script import chain
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import one_line

AUTOMATIC_MESSAGE = "Automatic deploy lock"
POLL_SECONDS = (0.7, 1.3)
"""Between two looks at a held lock, by chance, so that those who wait do not come all at once."""
BUSY_LOOK_SECONDS, MOST_PAUSES = 0.05, 3
"""A look that takes longer than this tells of a busy host, or of a far one: whoever waits then asks less often, down
to a third. Twenty runs that waited on a busy machine were through after 61 s so, and after 209 s where only a look of
0.2 s counted as long."""


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
def held(run: Run, message: str = AUTOMATIC_MESSAGE, waits: bool = False) -> Generator[PyinfraCommand, None, None]:
    """This run holds the lock on the primary host.

    + run: the run's fixed values.
    + message: why it is locked.
    + waits: for a held lock, as long as the run may; else whoever runs the operation does.

    A lock that a killed process of this machine left behind is taken over, and with ``--lock-wait`` a stale one. As
    long as the run lasts the lock's lease is renewed.
    """
    if current_host().name != keeper(run):
        current_host().noop("the lock is on the primary host")
        return
    directory = naming.lock_directory(run.config)
    content = lock_content(run, message)
    command = chain(_take_over(run), f"{{ {commands.acquire(directory, content, lease=lease.SECONDS)}; }}")
    lease.asking(current_state())
    if waits and run.lock_wait:
        yield FunctionCommand(_take_patiently, (run, command), {})
    else:
        yield _on_primary(run, command)
    lease.begin(current_state(), run.config.primary_host, commands.renew(directory, content, lease=lease.SECONDS))
    record = underway(current_state())
    record.is_locked = record.has_worked = True
    forget(current_state())


@operation()
def released(run: Run, message: str = AUTOMATIC_MESSAGE) -> Generator[PyinfraCommand, None, None]:
    """This run's lock is gone; somebody else's stays.

    + run: the run's fixed values.
    + message: the one it was taken with.
    """
    if current_host().name != keeper(run):
        current_host().noop("the lock is on the primary host")
        return
    record = underway(current_state())
    lease.end(current_state())
    yield _on_primary(run, release_command(run, message, record.outcome or record.ends()))
    record.is_locked = False


def release_command(run: Run, message: str = AUTOMATIC_MESSAGE, outcome: str = "") -> str:
    """What gives this run's lock back, and says in the audit log how the run ended."""
    release = commands.release_own(naming.lock_directory(run.config), lock_content(run, message))
    # Whether or not there is a log to write to, the lock must go.
    return f"{{ {audited(run, outcome)}; }} 2> /dev/null; {release}" if outcome else release


def may_release(run: Run, lock: LockDetails) -> bool:
    """Whether the user may free a lock without force: it is his own and no run uses it, or nobody is behind it."""
    if lock.is_stale or not lock.content or is_dead(lock.holder):
        return True
    return lock.owner == run.locked_by and not lock.is_renewed


def keeper(run: Run) -> str:
    """The host whose turn it is to see to the lock: the primary, or without it the first that takes part."""
    state = current_state()
    names = [host.name for host in state.inventory if host in state.active_hosts]
    return run.config.primary_host if run.config.primary_host in names else names[0]


def _take_over(run: Run) -> str:
    """What removes the lock of a process that is gone; empty if there is none."""
    if current_host().name != run.config.primary_host:
        return ""
    _, observed = look(run)
    held_by = observed.lock
    if held_by is not None and not is_dead(held_by.holder) and run.lock_wait is not None and held_by.is_stale:
        return commands.take_over(naming.lock_directory(run.config), held_by.content, is_expired=True)
    return clearing_command(run, held_by)


def clearing_command(run: Run, held_by: LockDetails | None) -> str:
    """What removes the lock that a killed process of this machine left behind; empty if there is none."""
    if held_by is None or not is_dead(held_by.holder):
        return ""
    return commands.take_over(naming.lock_directory(run.config), held_by.content, is_expired=False)


def _on_primary(run: Run, command: str) -> PyinfraCommand:
    if current_host().name == run.config.primary_host:
        return StringCommand(command)
    return FunctionCommand(run_on_primary, (run, command), {})


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


def pause_after(look: float) -> float:
    """How long to wait until the next look at a held lock.

    Args:
        look: seconds that the last one took.
    """
    return random.uniform(*POLL_SECONDS) * min(max(look / BUSY_LOOK_SECONDS, 1), MOST_PAUSES)  # noqa: S311


def _take_patiently(state: State, host: Host, run: Run, command: str) -> bool:
    """Take the lock as soon as it is free, or stale, within the seconds that the run may wait."""
    primary, deadline = _primary(state, run), time.monotonic() + (run.lock_wait or 0)
    seen = ""
    while True:
        began = time.monotonic()
        lease.asking(state)
        succeeded, output = execute(primary, command)
        took = time.monotonic() - began
        held_by = commands.answer(output.stdout_lines, commands.HELD)
        if succeeded or held_by is None or time.monotonic() >= deadline:
            for line in () if succeeded else output.stdout_lines + output.stderr_lines:
                host.log(line)
            return succeeded
        details = parse_lock(held_by)
        if details.content != seen:
            seen = details.content
            host.log(f"waiting for the deploy lock held by {one_line(details.locked_by)}")
        if details.is_stale:
            execute(primary, commands.take_over(naming.lock_directory(run.config), seen, is_expired=True))
        else:
            gevent.sleep(pause_after(took))
