"""Old containers leave traffic: cut the cord, wait for Docker and the proxy.

Whether a container is healthy is its own word: its health check runs in it. One that does not want to go, or is
broken, is stopped all the same when its time is over, since beside its successor it would serve on for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands import app
from kamal_pyinfra.commands.health import await_functions, await_unhealthy
from kamal_pyinfra.commands.proxy_routes import await_dropped, note_servers, route_functions
from kamal_pyinfra.commands.shell import beside, chain, words
from kamal_pyinfra.plan.changes import StopContainer

STAYED = 75
"""Exit code of a script that did all that it should, with a container that had to be stopped in traffic."""
FORCED = "was stopped all the same: it was in traffic until then, and requests to it may have failed"


def drain(changes: Sequence[StopContainer], *, meanwhile: str = "", then: str = "") -> str:
    """Take old containers out of traffic, where the proxy serves others by now.

    That is: cut the cords, wait until Docker calls the containers unhealthy and the proxy has dropped them. What does
    not leave in time is stopped; what follows is done in any case, and the exit code is :data:`STAYED` then.

    Args:
        changes: what is to stop.
        meanwhile: something to do while Docker is waited for; whether it succeeds does not count.
        then: what follows.
    """
    corded = [change for change in changes if change.cord]
    if not corded:
        # Whether it succeeds does not count, but whatever is chained behind it must run.
        return chain(f"{{ {{ {meanwhile}; }} || true; }}" if meanwhile else "", then)
    waiting = chain(*(_await_gone(change) for change in corded), _stop_what_stayed(corded), await_dropped())
    return (
        await_functions()
        + route_functions()
        + "stayed=; "
        + chain(
            note_servers(tuple(change.name for change in corded)),
            *(app.cut_cord(change.cord) for change in corded if change.cord),
            beside(f"( {meanwhile} ) > /dev/null 2>&1", waiting) if meanwhile else waiting,
            then,
            f'{{ [ -z "$stayed" ] || exit {STAYED}; }}',
        )
    )


def ending(script: str, then: str, *, forced: str) -> str:
    """A drain, and what follows in a script of its own: also where a container had to be stopped in traffic.

    Args:
        script: the drain.
        then: what follows; empty for nothing.
        forced: the last line where nothing failed but that.
    """
    done = f"{then} || code=1" if then else ":"
    told = f'[ "$code" -ne {STAYED} ] || echo {words(forced)} >&2'
    return f'{script}; code=$?; case "$code" in 0 | {STAYED}) {done} ;; esac; {told}; ( exit "$code" )'


def _await_gone(change: StopContainer) -> str:
    await_gone = await_unhealthy(change.name, seconds=change.drain_timeout)
    return f'{{ {await_gone} || stayed="$stayed "{words(change.name)}; }}'


def _stop_what_stayed(changes: Sequence[StopContainer]) -> str:
    timeouts = [change.stop_timeout for change in changes if change.stop_timeout is not None]
    timeout = f"-t {max(timeouts)} " if timeouts else ""
    stop = f'docker stop {timeout}$stayed > /dev/null && echo "${{stayed# }}" {words(FORCED)} >&2'
    return f'{{ [ -z "$stayed" ] || {{ {stop}; }}; }}'
