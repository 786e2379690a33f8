"""``kp registry``: the registry's credentials in the hosts' engines."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import LogIn, LogOut
from kamal_pyinfra.plan.host_task import HostTask
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run

CAUSE = "asked for"


def log_in(run: Run, observed: ObservedHost) -> HostTask:
    """The engine gets the credentials anew, since what it has cannot be read."""
    return HostTask(changes=(LogIn(server=run.config.registry.server, cause=CAUSE),))


def log_out(run: Run, observed: ObservedHost) -> HostTask:
    """The engine has no credentials."""
    changes = (LogOut(server=run.config.registry.server, cause=CAUSE),) if observed.logged_in else ()
    return HostTask(changes=changes)
