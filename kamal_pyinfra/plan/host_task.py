"""What a command other than a deploy changes on a host: decided by one function, shown before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kamal_pyinfra import naming
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.fleet import HostPlan, Plan, roles_on
from kamal_pyinfra.plan.observed import FOREIGN_WAY_OUT, ObservedHost
from kamal_pyinfra.plan.run import Run


@dataclass(frozen=True, kw_only=True)
class HostTask:
    """What one host has to go through.

    Args:
        notes: what the user should know besides, one clause each.
        refusals: why none of it must be done, one line each.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


Decide = Callable[[Run, ObservedHost], HostTask]
"""What a command changes on a host that looks like this."""


def task_plan(run: Run, observed: Mapping[str, ObservedHost], decide: Decide) -> Plan:
    """The plan of a command that is not about a version.

    Args:
        run: the configuration and the run's fixed values.
        observed: a look at every host that takes part, by name.
        decide: what the command changes on a host.

    Raises:
        PlanRefused: it must not be done on a host.
    """
    tasks = {host: decide(run, seen) for host, seen in observed.items()}
    refusals = [refusal for task in tasks.values() for refusal in task.refusals]
    if refusals:
        raise PlanRefused("\n".join(refusals))
    return Plan(
        service=naming.service_name(run.config),
        version="",
        command=run.command,
        build=None,
        hosts=tuple(
            HostPlan(
                host=host,
                roles=roles_on(run, host),
                changes=task.changes,
                notes=task.notes,
                accessories=run.config.accessories_on(host),
            )
            for host, task in tasks.items()
        ),
    )


def silent_docker(observed: ObservedHost) -> tuple[str, ...]:
    """Why nothing can be decided on a host whose engine does not say what is there; one without engine has nothing."""
    if not observed.docker.error:
        return ()
    if observed.docker.stand_in:
        return (f"{observed.host}: {observed.docker.error}: {FOREIGN_WAY_OUT}",)
    return (f"{observed.host}: docker does not answer. {observed.docker.error}".rstrip(),)
