"""What a failed run says: where, what, the state the fleet is in, and the next command."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.local.new_run import host_of
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.text import one_line

LAST_LINES = 60


def failure_message(failures: Sequence[HostFailure], state: str) -> str:
    """One block per host, then the fleet's state and the way on."""
    blocks = [_block(failure) for failure in failures]
    return "\n".join([*blocks, _way_on(state)])


def brief_message(failures: Sequence[HostFailure], state: str) -> str:
    """The same without what the hosts said."""
    return "\n".join([*(_where(failure) for failure in failures), _way_on(state)])


def _way_on(state: str) -> str:
    return f"{state}\nRun the same command again once the cause is mended."


def _where(failure: HostFailure) -> str:
    what = f"{failure.phase}: {failure.operation.rpartition('| ')[2]}" if failure.operation else failure.phase
    return f"{failure.host} failed ({what})"


def _block(failure: HostFailure) -> str:
    said = [f"  {line}" for line in failure.output[-LAST_LINES:]]
    return "\n".join([_where(failure), *said])


def lock_message(lock: LockDetails, *, waited: int = 0) -> str:
    """Who holds the lock and how to get past it.

    Args:
        lock: as it was seen.
        waited: seconds for which it was waited for in vain.
    """
    after = f" (waited {waited} s)" if waited else ""
    return "\n".join(
        [
            f"Deploy lock held by {one_line(lock.locked_by)} for version {one_line(lock.version)}: "
            f"{one_line(lock.message)}{after}",
            *(f"{name}: {text}" for name, text in lock_process(lock)),
            _way_past(lock),
        ]
    )


def lock_lines(lock: LockDetails) -> list[tuple[str, str]]:
    """All that is known of a lock, as names and texts; Kamal's three first."""
    kamals = (("Locked by", lock.locked_by), ("Version", lock.version), ("Message", lock.message))
    return [*((name, one_line(text)) for name, text in kamals), *lock_process(lock)]


def lock_process(lock: LockDetails) -> list[tuple[str, str]]:
    """What is known of the process behind a lock, as names and texts; nothing of Kamal's."""
    host, pid = host_of(lock.holder), lock.holder.partition(" ")[2].partition(" ")[0]
    known = [
        ("Process", f"{one_line(pid)} on {one_line(host)}" if host and pid else ""),
        ("Command", one_line(lock.command)),
        ("Lease", _lease(lock)),
    ]
    return [(name, text) for name, text in known if text]


def waiting_message(lock: LockDetails, seconds: float) -> str:
    """What is waited for."""
    what = f"`{one_line(lock.command)}` of " if lock.command else ""
    return f"waiting up to {seconds:.0f} s for the deploy lock held by {what}{one_line(lock.locked_by)}"


def release_refusal(lock: LockDetails, performer: str) -> str:
    """Why a lock is not given back to somebody."""
    if lock.owner != performer:
        why = f"The deploy lock is held by {one_line(lock.locked_by)}, not by {one_line(performer)}"
    else:
        why = f"The deploy lock of {one_line(lock.locked_by)} is in use: a run renews it"
    return "\n".join(
        [
            f"{why}: {one_line(lock.message)}",
            *(f"{name}: {text}" for name, text in lock_process(lock)),
            "Run `kp lock release --force` if you are sure that nobody is deploying.",
        ]
    )


def _lease(lock: LockDetails) -> str:
    if lock.seconds_left is None:
        return ""
    if lock.is_stale:
        return f"stale, ended {-lock.seconds_left} s ago and was not renewed"
    return f"{lock.seconds_left} s left"


def _way_past(lock: LockDetails) -> str:
    if lock.is_stale:
        return "It is stale: run the same command with `--lock-wait` to take it over, or `kp lock release`."
    if lock.is_renewed:
        return "Wait until it is free: run the same command with `--lock-wait`."
    return "Wait until it is free, or run `kp lock release` if you are sure that nobody is deploying."
