"""Changes of the smaller commands carried out, kind by kind."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.config.model import stop_seconds
from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.run_state import current_host, seen
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.containers import RemoveProxy, StartContainer, StopContainer
from kamal_pyinfra.plan.changes.host import RemoveContainer, RemoveDirectory, RemoveFile, RemoveImage, RemoveUntagged
from kamal_pyinfra.plan.diff.gates import started_gates
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.remove import diff_logout, diff_purged, diff_removed_app, diff_removed_files, others_on
from kamal_pyinfra.shell import app, files, image, rollout
from kamal_pyinfra.shell.rollout import drain
from kamal_pyinfra.shell.script import chain, guarded

REMOVE_SECONDS = 300


@operation()
def pruned(run: Run, decide: Decide) -> Generator[StringCommand, None, None]:
    """Nothing is there that nobody needs beside what is in service.

    + run: the run's fixed values.
    + decide: which kinds of things go.
    """
    script = removal(run, decide(run, seen(run)).changes)
    if not script:
        current_host().noop("nothing is left over")
        return
    yield StringCommand(script)


def removal(run: Run, changes: Sequence[Change]) -> str:
    """What removes surplus containers, unused tags, and folders of versions that are gone; each by its name."""
    if not changes:
        return ""
    announce(changes)
    containers = tuple(change.name for change in changes if isinstance(change, RemoveContainer))
    tags = tuple(change.image for change in changes if isinstance(change, RemoveImage))
    untagged = tuple(change.service for change in changes if isinstance(change, RemoveUntagged))
    folders = tuple(change.path for change in changes if isinstance(change, RemoveDirectory))
    single_files = tuple(change.path for change in changes if isinstance(change, RemoveFile))
    proxies = tuple(change.name for change in changes if isinstance(change, RemoveProxy))
    script = chain(
        app.remove(containers) if containers else "",
        audited(run, "Pruned containers") if containers else "",
        image.remove(tags) if tags else "",
        *map(image.remove_untagged, untagged),
        audited(run, "Pruned images") if tags or untagged else "",
        files.remove_directories(folders) if folders else "",
        files.remove_files(single_files) if single_files else "",
        chain(app.stop(proxies, None), app.remove(proxies)) if proxies else "",
    )
    return guarded(script, seconds=REMOVE_SECONDS)


@operation()
def app_removed(run: Run) -> Generator[StringCommand, None, None]:
    """No container of the app, and no image that only these needed.

    + run: the run's fixed values.
    """
    changes = diff_removed_app(run, seen(run))
    if not changes:
        current_host().noop("there is no app")
        return
    announce(changes)
    tags = tuple(change.image for change in changes if isinstance(change, RemoveImage))
    untagged = [change.service for change in changes if isinstance(change, RemoveUntagged)]
    script = chain(
        *_containers(run, changes),
        image.remove(tags) if tags else "",
        *map(image.remove_untagged, untagged),
        audited(run, "Removed all app images") if tags or untagged else "",
    )
    yield StringCommand(guarded(script, seconds=REMOVE_SECONDS + (stop_seconds(run.config) or 0)))


def _containers(run: Run, changes: Sequence[Change]) -> tuple[str, ...]:
    containers = [change for change in changes if isinstance(change, RemoveContainer)]
    if not containers:
        return ()
    running = tuple(change.name for change in containers if change.is_running)
    roles = dict.fromkeys(change.role for change in containers)
    return (
        app.stop(running, stop_seconds(run.config)) if running else "",
        app.remove(tuple(change.name for change in containers)),
        *(audited(run, "Removed all app containers", role) for role in roles),
    )


@operation()
def files_removed(run: Run) -> Generator[StringCommand, None, None]:
    """No secrets, cords and assets of the service.

    + run: the run's fixed values.
    """
    changes = diff_removed_files(run, seen(run))
    if not changes:
        current_host().noop("there are no files")
        return
    announce(changes)
    env_files = tuple(change.path for change in changes if isinstance(change, RemoveFile))
    folders = tuple(change.path for change in changes if isinstance(change, RemoveDirectory))
    yield StringCommand(
        chain(
            files.remove_files(env_files) if env_files else "",
            audited(run, "Deleted env files") if env_files else "",
            files.remove_directories(folders) if folders else "",
        )
    )


@operation()
def logged_out(run: Run) -> Generator[StringCommand, None, None]:
    """No login to the registry, unless another service's images come from there.

    + run: the run's fixed values.
    """
    changes = diff_logout(run, seen(run))
    if not changes:
        current_host().noop("no login is to be removed")
        return
    announce(changes)
    yield StringCommand(image.log_out(run.config.registry.server))


@operation()
def purged(run: Run) -> Generator[StringCommand, None, None]:
    """No audit log; and no folder, unless something of another service is on the host.

    + run: the run's fixed values.
    """
    observed = seen(run)
    changes = diff_purged(run, observed)
    announce(changes)
    paths = tuple(change.path for change in changes)
    is_alone = not any(each.service for each in others_on(run, observed))
    script = chain(
        files.remove_files(paths) if paths else "",
        files.remove_empty_directories(run.config.run_directory) if is_alone else "",
    )
    if not script:
        current_host().noop("nothing is left")
        return
    yield StringCommand(script)


GRACE_SECONDS = 60
"""Added to the sum of the waits inside a script, for Docker's own work."""


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
