"""The drain of old containers on one host: out of traffic, then stopped."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.plan.changes import StopContainer
from kamal_pyinfra.shell import container
from kamal_pyinfra.shell.script import alongside, chain, join, quoted

STAYED = 75  # exit code of a script that did all that it should, with a container that had to be stopped in traffic


def stand_by(changes: Sequence[StopContainer]) -> str:
    """Let containers that are about to be drained leave traffic as soon as their cords are cut."""
    return chain(*(f"stand_by {quoted(change.cord)}" for change in changes if change.cord))


def stop(changes: Sequence[StopContainer]) -> str:
    """Stop drained containers, all at once."""
    names: dict[int | None, list[str]] = {}
    for change in sorted(changes, key=lambda change: change.stop_timeout or 0):
        names.setdefault(change.stop_timeout, []).append(change.name)
    return chain(*(container.stop(*those, timeout=timeout) for timeout, those in names.items()))


def drain(changes: Sequence[StopContainer], *, meanwhile: str = "", then: str = "") -> str:
    """Take old containers out of traffic, where the proxy serves others by now; ``then`` is what follows.

    That is: cut the cords, wait until Docker calls the containers unhealthy and the proxy has dropped them. What does
    not leave in time is stopped; what follows is done in any case, and the exit code is :data:`STAYED` then. Whether
    what is done ``meanwhile`` succeeds does not count.
    """
    corded = [change for change in changes if change.cord]
    if not corded:
        # Whether it succeeds does not count, but whatever is chained behind it must run.
        return chain(f"{{ {{ {meanwhile}; }} || true; }}" if meanwhile else "", then)
    timeouts = [change.stop_timeout for change in corded if change.stop_timeout is not None]
    waiting = chain(
        *(f"await_drained {quoted(change.name, change.drain_timeout)}" for change in corded),
        join("stop_what_stayed", f"-t {max(timeouts)}" if timeouts else ""),
        "await_dropped",
    )
    return "stayed=; " + chain(
        f"note_servers {quoted(*(change.name for change in corded))}",
        *(f"cut_cord {quoted(change.cord)}" for change in corded),
        alongside(f"( {meanwhile} ) > /dev/null 2>&1", waiting) if meanwhile else waiting,
        then,
        f'{{ [ -z "$stayed" ] || exit {STAYED}; }}',
    )


def ending(script: str, then: str, *, forced: str) -> str:
    """A drain, and what follows it, also where a container had to be stopped in traffic: then ``forced`` is printed."""
    done = f"{then} || code=1" if then else ":"
    message = f'[ "$code" -ne {STAYED} ] || echo {quoted(forced)} >&2'
    return f'{script}; code=$?; case "$code" in 0 | {STAYED}) {done} ;; esac; {message}; ( exit "$code" )'
