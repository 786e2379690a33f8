"""The deploy lock: a directory, so that taking it is atomic; at Kamal 1.9's path and in its format.

Besides Kamal's ``details`` there is our ``lease``: the second, by the clock of the host with the lock, at which a lock
becomes stale unless it is renewed. A lock of Kamal's or one taken by hand has none and never does. A lock without
details is one whose process died before it could write them: both tools write them in the same breath.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from kamal_pyinfra.shell.script import group, quoted

HELD = "deploy-lock-held"
LOST = "deploy-lock-lost"
TAKEN = "deploy-lock-taken"
STATE = "deploy-lock-state"
RELEASED = "deploy-lock-released"
ALONE_SECONDS = 10  # what we do alone takes a moment; any user who can open the folder can hold it


def details(*, locked_by: str, at: str, version: str, message: str, holder: str, command: str = "") -> str:
    """The lock's content: Kamal's three lines, and two of ours about the process."""
    lines = (f"Locked by: {locked_by} at {at}", f"Version: {version}", f"Message: {message}", f"Holder: {holder}")
    text = "\n".join((*lines, f"Command: {command}"))
    return base64.b64encode(text.encode()).decode()


def acquire(directory: str, content: str, *, lease: int | None = None) -> str:
    """Take the lock, or print :data:`HELD`, what is in it and the seconds that its lease still lasts, and exit 1.

    :data:`TAKEN` is printed where it is taken, with what ``lock_mark`` printed just before. After the seconds of its
    lease it is stale unless it is renewed; a lock without is released by hand.
    """
    until = () if lease is None else (lease,)
    return group(f"acquire_lock {quoted(directory, content, *until)}")


def is_exact(marked: str) -> bool:
    """Whether a mark is exact enough: some programs and file systems know whole seconds only."""
    fraction = marked.partition(".")[2][:9]
    return fraction.isdigit() and bool(fraction.strip("0"))


def state(directory: str) -> str:
    """Print :data:`STATE`, what is in the lock and the seconds that its lease still lasts; nothing where it is free."""
    return group(f"show_lock {quoted(directory)}")


def answer(output: Iterable[str], kind: str) -> str | None:
    """The first line of a kind, without it; ``None`` if there is none. All other lines are not the lock's."""
    rows = (line.partition(" ") for line in output)
    return next((text for first, _, text in rows if first == kind), None)


def renew(directory: str, content: str, *, lease: int) -> str:
    """Let the lock last for another lease if it is still the one with this content, else print :data:`LOST`."""
    return _alone("renew_lock", directory, content, lease)


def take_over(directory: str, content: str, *, is_expired: bool) -> str:
    """Remove the lock of a process that is gone if it still has this content; of one that expired, while it is so."""
    return _alone("take_over_lock", directory, content, *(("expired",) if is_expired else ()))


def release_own(directory: str, content: str) -> str:
    """Give the lock back if it is still the one with this content."""
    return _alone("release_own_lock", directory, content)


def release(directory: str) -> str:
    """Remove any lock, with or without details in it."""
    return f"rm -rf {quoted(directory)}"


def confirmed(directory: str, release: str) -> str:
    """Print :data:`RELEASED` if the lock is gone after a command that releases it."""
    return f"{release} && [ ! -d {quoted(directory)} ] && echo {RELEASED}"


def _alone(command: str, *values: object) -> str:
    return group(f"alone_with_lock {quoted(ALONE_SECONDS, command, *values)}", command)
