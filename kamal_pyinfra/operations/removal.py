"""Everything of a service, taken from a host; each thing by its name."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.config.model import stop_seconds
from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, seen
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.host import RemoveContainer, RemoveDirectory, RemoveFile, RemoveImage, RemoveUntagged
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.remove import diff_logout, diff_purged, diff_removed_app, diff_removed_files, others_on
from kamal_pyinfra.shell import app, files, image
from kamal_pyinfra.shell.script import chain, guarded

REMOVE_SECONDS = 300


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
