"""What a failed run says: where, what, the state the fleet is in, and the next command."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.plan.observed import LockDetails
from kamal_pyinfra.runner.failures import HostFailure

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


def lock_message(lock: LockDetails) -> str:
    """Who holds the lock and how to get past it."""
    return (
        f"Deploy lock held by {lock.locked_by} for version {lock.version}: {lock.message}\n"
        "Wait until it is free, or run `kp lock release` if you are sure that nobody is deploying."
    )
