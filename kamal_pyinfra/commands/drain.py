"""Old containers leave traffic: cut the cord, wait for Docker and the proxy."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands import app
from kamal_pyinfra.commands.health import await_functions, await_unhealthy
from kamal_pyinfra.commands.proxy_routes import await_dropped, note_servers, route_functions
from kamal_pyinfra.commands.shell import beside, chain
from kamal_pyinfra.plan.changes import StopContainer


def drain(changes: Sequence[StopContainer], *, meanwhile: str = "") -> str:
    """Take old containers out of traffic, where the proxy serves others by now.

    That is: cut the cords, wait until Docker calls the containers unhealthy and the proxy has dropped them.

    Args:
        changes: what is to stop.
        meanwhile: something to do while Docker is waited for; whether it succeeds does not count.
    """
    corded = [change for change in changes if change.cord]
    if not corded:
        # Whether it succeeds does not count, but whatever is chained behind it must run.
        return f"{{ {{ {meanwhile}; }} || true; }}" if meanwhile else ""
    waiting = chain(
        *(await_unhealthy(change.name, seconds=change.drain_timeout) for change in corded),
        await_dropped(),
    )
    return (
        await_functions()
        + route_functions()
        + chain(
            note_servers(tuple(change.name for change in corded)),
            *(app.cut_cord(change.cord) for change in corded if change.cord),
            beside(f"( {meanwhile} ) > /dev/null 2>&1", waiting) if meanwhile else waiting,
        )
    )
