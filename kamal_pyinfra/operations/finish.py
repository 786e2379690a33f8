"""Marks the version in service and removes leftovers."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra import naming
from kamal_pyinfra.operations.apply import removal
from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.run_state import current_host, look
from kamal_pyinfra.plan.changes.host import TagLatest
from kamal_pyinfra.plan.diff.app import diff_containers, diff_old_containers
from kamal_pyinfra.plan.diff.leftovers import diff_leftovers, diff_record, diff_tag, next_record
from kamal_pyinfra.plan.diff.proxy import replaced_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.state.record import record_text
from kamal_pyinfra.shell import files, image
from kamal_pyinfra.shell import files as edits
from kamal_pyinfra.shell.proxy.container import drop_aside
from kamal_pyinfra.shell.script import chain


def is_noted_while_switching(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether containers come or go, so that there is a wait in which to write it down."""
    return bool(diff_containers(desired, observed) or diff_old_containers(desired, observed))


def note(run: Run, desired: DesiredHost, observed: ObservedHost) -> str:
    """The command that writes it down, for every container that runs once this run is over."""
    wanted = tuple(container.name for container in desired.containers)
    others = (each for each in observed.containers if desired.owner.is_service_of(each) and each.is_running)
    return edits.record_edits(
        naming.edits_directory(run.config), (*wanted, *(each.name for each in others if not run.includes(each.role)))
    )


def mark(run: Run, desired: DesiredHost, observed: ObservedHost) -> tuple[str, str]:
    """What makes ``latest`` name the version in service, and writes down this run.

    Returns:
        The command, empty if that is so already, and its standard input: the record holds digests of env files, so it
        is written like one, with mode 0600.
    """
    tags = [change for change in diff_tag(desired, observed) if isinstance(change, TagLatest)]
    record = next_record(run, desired, observed)
    is_recorded = desired.is_leaving or record == observed.record
    if not tags and is_recorded:
        return "", ""
    announce((*tags, *diff_record(desired, observed)))
    script = chain(
        *(image.tag(change.image, change.tag) for change in tags),
        *(audited(run, f"Tagging {change.image} as the latest image") for change in tags),
        "" if is_recorded else files.write_secret(naming.hosts_record(run.config)),
        "" if is_noted_while_switching(desired, observed) else note(run, desired, observed),
    )
    return script, "" if is_recorded else files.measured(record_text(record))


def clean(run: Run, desired: DesiredHost, observed: ObservedHost) -> str:
    """What removes leftovers, and the old proxy that stood aside until now; empty if there is nothing."""
    old_proxy = drop_aside() if replaced_proxy(desired, observed) else ""
    return chain(removal(run, diff_leftovers(desired, observed)), old_proxy)


@operation()
def finished(run: Run) -> Generator[StringCommand, None, None]:
    """``latest`` names the version in service, the record is of this run, and nothing is left over.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    marking, typed = mark(run, desired, observed)
    script = chain(marking, clean(run, desired, observed))
    if not script:
        current_host().noop("the version in service is marked, and nothing is left over")
        return
    yield StringCommand(script, _stdin=typed)
