"""What nobody needs once the wanted version serves."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.commands import app, files, image
from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.commands.shell import chain
from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.changes import (
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
    RemoveProxy,
)
from kamal_pyinfra.plan.diff import diff_leftovers
from kamal_pyinfra.plan.run import Run

REMOVE_SECONDS = 300


@operation()
def removed(run: Run) -> Generator[StringCommand, None, None]:
    """Surplus containers, unused tags, and folders of versions that are gone are removed; each by its name.

    + run: the run's fixed values.
    """
    changes = diff_leftovers(*look(run))
    if not changes:
        current_host().noop("nothing is left over")
        return
    announce(changes)
    containers = tuple(change.name for change in changes if isinstance(change, RemoveContainer))
    images = tuple(change.image for change in changes if isinstance(change, RemoveImage))
    folders = tuple(change.path for change in changes if isinstance(change, RemoveDirectory))
    single_files = tuple(change.path for change in changes if isinstance(change, RemoveEnvFile | RemoveFile))
    proxies = tuple(change.name for change in changes if isinstance(change, RemoveProxy))
    script = chain(
        app.remove(containers) if containers else "",
        audited(run, "Pruned containers") if containers else "",
        image.remove(images) if images else "",
        audited(run, "Pruned images") if images else "",
        files.remove_directories(folders) if folders else "",
        files.remove_files(single_files) if single_files else "",
        chain(app.stop(proxies, None), app.remove(proxies)) if proxies else "",
    )
    yield StringCommand(guarded(script, seconds=REMOVE_SECONDS))
