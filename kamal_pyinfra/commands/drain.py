"""Old containers leave traffic: cut the cord, wait for Docker and the proxy."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands import app
from kamal_pyinfra.commands.health import await_functions, await_unhealthy
from kamal_pyinfra.commands.proxy_routes import await_dropped, await_served, note_servers, route_functions
from kamal_pyinfra.commands.shell import chain
from kamal_pyinfra.plan.changes import BootContainer, StopContainer


def drain(changes: Sequence[StopContainer], booted: Sequence[BootContainer] = (), *, meanwhile: str = "") -> str:
    """Take old containers out of traffic once the proxy serves the new ones.

    That is: cut the cords, wait until Docker calls the containers unhealthy and the proxy has dropped them. The
    proxy learns of the new ones while other hosts still boot, so it is asked here and not when they are healthy.

    Args:
        changes: what is to stop.
        booted: what was started in its place, or for the first time.
        meanwhile: something to do while Docker is waited for; whether it succeeds does not count.
    """
    corded = [change for change in changes if change.cord]
    routed = tuple(change.container.name for change in booted if change.container.cord)
    served = await_served(routed) if routed else ""
    if not corded:
        aside = f"{{ {meanwhile}; }} || true" if meanwhile else ""
        return (route_functions() if served else "") + chain(served, aside)
    waiting = chain(
        *(await_unhealthy(change.name, seconds=change.drain_timeout) for change in corded),
        await_dropped(),
    )
    return (
        await_functions()
        + route_functions()
        + chain(
            served,
            note_servers(tuple(change.name for change in corded)),
            *(app.cut_cord(change.cord) for change in corded if change.cord),
            _beside(meanwhile, waiting) if meanwhile else waiting,
        )
    )


def _beside(aside: str, script: str) -> str:
    """Do something at the same time; only the script's own end counts."""
    return f'{{ ( {aside} ) > /dev/null 2>&1 & aside=$!; {script}; code=$?; wait "$aside"; [ "$code" -eq 0 ]; }}'
