"""The app as it is, without a new version: started, drained and stopped, removed."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.app import GRACE_SECONDS
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, seen
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.containers import StartContainer, StopContainer
from kamal_pyinfra.plan.changes.host import RemoveContainer, RemoveImage
from kamal_pyinfra.plan.diff.gates import started_gates
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import app, image, rollout
from kamal_pyinfra.shell.rollout import drain
from kamal_pyinfra.shell.script import chain, guarded

REMOVE_SECONDS = 300


@operation()
def started(run: Run, decide: Decide) -> Generator[StringCommand, None, None]:
    """The containers that are there run, are healthy and are served.

    + run: the run's fixed values.
    + decide: which ones.
    """
    changes = [change for change in decide(run, seen(run)).changes if isinstance(change, StartContainer)]
    if not changes:
        current_host().noop("the app runs")
        return
    announce(changes)
    audits = [audited(run, f"Started app version {change.version}", change.role) for change in changes]
    waits = sum(change.deadline + change.readiness_delay for change in changes)
    gates = started_gates({change.name for change in changes}, seen(run))
    yield StringCommand(
        guarded(app.start_and_await(changes, audits, gates), seconds=waits + GRACE_SECONDS, key="deploy_timeout")
    )


@operation()
def stopped(run: Run, decide: Decide, message: str) -> Generator[StringCommand, None, None]:
    """Containers do not run; no request is lost on a host where another one serves.

    One that does not leave traffic in time is stopped all the same, and then the host has failed.

    + run: the run's fixed values.
    + decide: which ones.
    + message: for the audit log.
    """
    changes = [change for change in decide(run, seen(run)).changes if isinstance(change, StopContainer)]
    if not changes:
        current_host().noop("none of them runs")
        return
    announce(changes)
    roles = dict.fromkeys(change.role for change in changes)
    stop = chain(rollout.stop(changes), *(audited(run, message, role) for role in roles))
    waits = sum(change.drain_timeout for change in changes) + max((change.stop_timeout or 10) for change in changes)
    yield StringCommand(guarded(drain(changes, then=stop), seconds=waits + GRACE_SECONDS, key="drain_timeout"))


@operation()
def removed(run: Run, decide: Decide, message: str) -> Generator[StringCommand, None, None]:
    """Containers or images that nobody needs are gone; each by its name.

    + run: the run's fixed values.
    + decide: which ones.
    + message: for the audit log.
    """
    changes = decide(run, seen(run)).changes
    if not changes:
        current_host().noop("there are none")
        return
    announce(changes)
    yield StringCommand(guarded(_removal(run, changes, message), seconds=REMOVE_SECONDS))


def _removal(run: Run, changes: tuple[Change, ...], message: str) -> str:
    containers = tuple(change.name for change in changes if isinstance(change, RemoveContainer))
    tags = tuple(change.image for change in changes if isinstance(change, RemoveImage))
    roles = dict.fromkeys(change.role for change in changes)
    return chain(
        app.remove(containers) if containers else "",
        image.remove(tags) if tags else "",
        *(audited(run, message, role) for role in roles),
    )
