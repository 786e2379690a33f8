"""What is not needed any more: removed, each thing by its name."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, seen
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.containers import RemoveProxy
from kamal_pyinfra.plan.changes.host import RemoveContainer, RemoveDirectory, RemoveFile, RemoveImage, RemoveUntagged
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import app, files, image
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
