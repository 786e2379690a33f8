"""The deploy lock: a directory, so that taking it is atomic; at Kamal 1.9's path and in its format.

Beside Kamal's ``details`` lies our ``lease``: the second, by the clock of the host with the lock, at which a lock
that nobody renews becomes stale. A lock of Kamal's or one taken by hand has none and never does. A lock without
details is one whose taker died before he could write them: both tools write them in the same breath.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from kamal_pyinfra.shell.health import PRINTABLE
from kamal_pyinfra.shell.script import words

HELD = "deploy-lock-held"
LOST = "deploy-lock-lost"
TAKEN = "deploy-lock-taken"
STATE = "deploy-lock-state"
RELEASED = "deploy-lock-released"
SECONDS_TO_FILL = 120
"""After which a lock without details is stale."""
ALONE_SECONDS = 10
"""What we do alone takes a moment; any user who can open the folder can hold it."""


def details(*, locked_by: str, at: str, version: str, message: str, holder: str, command: str = "") -> str:
    """The lock's content: Kamal's three lines, and two of ours about the process."""
    lines = (f"Locked by: {locked_by} at {at}", f"Version: {version}", f"Message: {message}", f"Holder: {holder}")
    text = "\n".join((*lines, f"Command: {command}"))
    return base64.b64encode(text.encode()).decode()


def acquire(directory: str, content: str, *, lease: int | None = None) -> str:
    """Take the lock, or print :data:`HELD` with what :func:`shown` says and exit 1.

    :data:`TAKEN` is printed where it is taken, with what :func:`mark` said just before.

    Args:
        directory: the lock.
        content: for its ``details``.
        lease: seconds after which it is stale unless it is renewed; ``None`` for a lock that is released by hand.
    """
    target, parent = words(directory), words(directory.rpartition("/")[0])
    until = f" && {_write_lease(directory, lease)}" if lease is not None else ""
    return (
        f'( umask 022 && mkdir -p {parent} ) || exit 1; marked="{mark(directory)}"; '
        f"if mkdir {target} 2> /dev/null; then {{ echo {words(content)} > {target}/details{until}; }} "
        f'|| {{ rm -rf {target}; exit 1; }}; echo "{TAKEN} $marked"; '
        f'elif [ -d {target} ]; then echo "{HELD} {shown(directory)}"; '
        f"base64 -d 2> /dev/null < {target}/details | {PRINTABLE} >&2; exit 1; "
        f"else mkdir {target}; fi"
    )


def shown(directory: str) -> str:
    """Words inside double quotes: the content in one line, a blank, and the seconds that the lease still lasts."""
    return f"{_content(directory)} {_left(directory)}"


def mark(directory: str) -> str:
    """Words inside double quotes that differ once somebody took or gave back a lock; empty if the host cannot tell."""
    parent = words(directory.rpartition("/")[0])
    return f"$(stat -c %i-%y {parent} 2> /dev/null | tr -d ' ')"


def tells(marked: str) -> bool:
    """Whether a mark is exact enough: some programs and file systems know whole seconds only."""
    fraction = marked.partition(".")[2][:9]
    return fraction.isdigit() and bool(fraction.strip("0"))


def state(directory: str) -> str:
    """Print :data:`STATE` and what :func:`shown` says, or nothing where nobody holds the lock."""
    return f'[ ! -d {words(directory)} ] || echo "{STATE} {shown(directory)}"'


def answer(output: Iterable[str], kind: str) -> str | None:
    """What the first line of a kind says; ``None`` if there is none. All other lines are not the lock's."""
    rows = (line.partition(" ") for line in output)
    return next((text for first, _, text in rows if first == kind), None)


def renew(directory: str, content: str, *, lease: int) -> str:
    """Let the lock last for another lease if it is still the one with this content, else print :data:`LOST`."""
    return _alone(
        directory,
        f'if [ "{_content(directory)}" = {words(content)} ]; then {_write_lease(directory, lease)}; '
        f"else echo {LOST}; fi",
    )


def take_over(directory: str, content: str, *, is_expired: bool) -> str:
    """Remove the lock of somebody who is gone, if it is still the one with this content.

    Args:
        directory: the lock.
        content: what was seen in it.
        is_expired: only while its lease is over, since its holder may have renewed it; else the holder is known
            to be dead.
    """
    over = f' && [ "{_left(directory)}" -le 0 ] 2> /dev/null' if is_expired else ""
    return _alone(
        directory,
        f'if [ "{_content(directory)}" = {words(content)} ]{over}; then {release(directory)}; fi',
    )


def release_own(directory: str, content: str) -> str:
    """Give the lock back if it is still the one with this content."""
    return _alone(directory, f'[ "{_content(directory)}" != {words(content)} ] || {release(directory)}')


def release(directory: str) -> str:
    """Remove the lock, whoever holds it, with or without details in it."""
    return f"rm -rf {words(directory)}"


def confirmed(directory: str, release: str) -> str:
    """Print :data:`RELEASED` if the lock is gone after a command that releases it.

    Args:
        directory: the lock.
        release: the command.
    """
    return f"{release} && [ ! -d {words(directory)} ] && echo {RELEASED}"


def _content(directory: str) -> str:
    return f"$(tr -d '\\n' 2> /dev/null < {words(directory)}/details)"


def _left(directory: str) -> str:
    target = words(directory)
    unfilled = f'expr "$(stat -c %Y {target})" + {SECONDS_TO_FILL}'
    until = f"if [ -s {target}/details ]; then cat {target}/lease; else {unfilled}; fi"
    return f'$(expr "$({{ {until}; }} 2> /dev/null)" - "$(date +%s)" 2> /dev/null)'


def _write_lease(directory: str, seconds: int) -> str:
    # Moved into place: who looks never sees half a number.
    target = words(directory)
    return f"echo $(($(date +%s) + {seconds})) > {target}/lease.new && mv -f {target}/lease.new {target}/lease"


def _alone(directory: str, script: str) -> str:
    """Look and act as one step among ours; without `flock` a moment is left between the two."""
    folder = directory.rpartition("/")[0]
    parent, way_out = words(folder), f"`fuser -v {words(folder)}` names it; end it, and run the same command again"
    held = words(f"another process has locked the folder {folder} for {ALONE_SECONDS} s: {way_out}")
    wait = f"timeout {ALONE_SECONDS} flock 9 || {{ echo {held} >&2; exit 1; }}"
    return f"{{ [ ! -d {parent} ] || ( if command -v flock > /dev/null; then {wait}; fi; {script} ) 9< {parent}; }}"
