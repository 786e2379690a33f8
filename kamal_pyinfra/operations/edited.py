"""What containers in service have changed of their image by themselves, written down on the host."""

from __future__ import annotations

from kamal_pyinfra.plan.diff.host import diff_containers, diff_old_containers
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.shell import files as edits


def is_noted_while_switching(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether containers come or go, so that there is a wait in which to write it down."""
    return bool(diff_containers(desired, observed) or diff_old_containers(desired, observed))


def note(run: Run, desired: DesiredHost, observed: ObservedHost) -> str:
    """The command that writes it down, for every container that runs once this run is over."""
    wanted = tuple(container.name for container in desired.containers)
    others = (each for each in observed.containers if desired.owner.is_service_of(each) and each.is_running)
    return edits.note_down(desired.edits, (*wanted, *(each.name for each in others if not run.includes(each.role))))
