"""Questions to the hosts, and the lock by hand: one command per host, no deploy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.errors import HostFailed, LockHeld
from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.operations.lock import lock_content, may_release
from kamal_pyinfra.plan.desired.host import owner_of
from kamal_pyinfra.plan.plan import silent_docker
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import LockDetails, ObservedHost
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.words import lock_message, release_refusal
from kamal_pyinfra.shell import lock as lock_commands
from kamal_pyinfra.text import sanitized


def observe(run: Run, hosts: Collection[str]) -> dict[str, ObservedHost]:
    """One look at each host, and at what Docker has there.

    Raises:
        HostFailed: a host could not be reached or looked at, or its Docker does not answer.
    """
    with interruptible(), Session(run, hosts) as session:
        seen = session.observe()
    require_docker(seen)
    return seen


def require_docker(seen: Mapping[str, ObservedHost]) -> None:
    """Take no silent engine for one without containers; a host without engine has none.

    Raises:
        HostFailed: with every host whose Docker does not answer.
    """
    silent = {host: silent_docker(looked) for host, looked in seen.items()}
    lines = [line for host in seen for line in silent[host]]
    if lines:
        raise HostFailed("\n".join(lines), [host for host, said in silent.items() if said])


def running_versions(run: Run, observed: ObservedHost) -> dict[str, list[str]]:
    """Versions that run on a host by role, newest first."""
    versions: dict[str, list[str]] = {}
    for container in owner_of(run).running(observed.containers):
        versions.setdefault(container.role, []).append(container.version)
    return versions


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


def _unconfirmed(run: Run, what: str) -> HostFailed:
    primary = run.config.primary_host
    return HostFailed(f"{primary} did not confirm that the lock is {what}; `kp lock status` shows it", [primary])


def _on_primary(run: Run, command: str) -> list[str]:
    primary = run.config.primary_host
    with interruptible(), Session(run, [primary]) as session:
        session.require_hosts()
        succeeded, output = session.execute(command)[primary]
    if not succeeded and lock_commands.answer(output.stdout_lines, lock_commands.HELD) is None:
        said = "\n".join(sanitized(line) for line in output.stderr_lines)
        raise HostFailed(f"{primary} failed\n{said}", [primary])
    return list(output.stdout_lines)
