"""Accessories of a host."""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.operations.run_state import current_host, look, seen
from kamal_pyinfra.plan.changes.containers import BootAccessory, RebootAccessory, RemoveAccessory, SwitchAccessory
from kamal_pyinfra.plan.compare.container import files_to_upload
from kamal_pyinfra.plan.diff.accessory import diff_missing_accessories
from kamal_pyinfra.plan.plan import Decide
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import Upload
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks
from kamal_pyinfra.shell import accessory as commands
from kamal_pyinfra.shell.files import remove_directories, remove_files
from kamal_pyinfra.shell.script import chain, guarded

SWITCH_SECONDS = 120
REMOVE_SECONDS = 300


@operation()
def booted(run: Run) -> Generator[StringCommand, None, None]:
    """Accessories run; what is there is replaced only if the run reboots.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    changes = diff_missing_accessories(desired, observed)
    if not changes:
        current_host().noop("the accessories are there")
        return
    announce(changes)
    for change in changes:
        if change.accessory.directories:
            yield StringCommand(commands.make_directories(change.accessory.directories))
        yield from _written(files_to_upload(change.accessory, observed))
        yield StringCommand(pulling(run, _boot(run, change)))


def _boot(run: Run, change: BootAccessory) -> str:
    audit = audited(run, f"Booted {change.name} accessory")
    if not isinstance(change, RebootAccessory):
        return chain(commands.run(change.accessory), audit)
    before = (f"Stopped {change.name} accessory", f"Remove {change.name} accessory container")
    return chain(commands.replace(change.accessory), *(audited(run, message) for message in before), audit)


def _written(uploads: tuple[Upload, ...]) -> Iterator[StringCommand]:
    """The content travels as base64 on standard input, of which pyinfra would alter the last line break.

    Its length goes before it, so that a host knows whether all of it came.
    """
    for upload in uploads:
        if upload.content is not None:
            raw = upload.content.encode() if isinstance(upload.content, str) else upload.content
            yield StringCommand(
                commands.write_file(upload.path), _stdin=f"{len(raw)}\n{base64.b64encode(raw).decode()}"
            )


@operation()
def uploaded(run: Run) -> Generator[StringCommand, None, None]:
    """The accessories' files are what they are on this machine.

    + run: the run's fixed values.
    """
    changes = accessory_tasks.diff_uploads(*look(run))
    if not changes:
        current_host().noop("all files are up to date")
        return
    announce(changes)
    for change in changes:
        yield from _written(change.uploads)


@operation()
def directories(run: Run) -> Generator[StringCommand, None, None]:
    """The accessories' folders are there.

    + run: the run's fixed values.
    """
    changes = accessory_tasks.diff_accessory_directories(*look(run))
    if not changes:
        current_host().noop("all folders are there")
        return
    announce(changes)
    for change in changes:
        yield StringCommand(commands.make_directories(change.paths))


@operation()
def started(run: Run) -> Generator[StringCommand, None, None]:
    """Accessories that are there run.

    + run: the run's fixed values.
    """
    yield from _switched(run, accessory_tasks.start, stops=False, starts=True)


@operation()
def stopped(run: Run) -> Generator[StringCommand, None, None]:
    """Accessories do not run.

    + run: the run's fixed values.
    """
    yield from _switched(run, accessory_tasks.stop, stops=True, starts=False)


@operation(is_idempotent=False)
def restarted(run: Run) -> Generator[StringCommand, None, None]:
    """Accessories that are there have been stopped and started.

    + run: the run's fixed values.
    """
    yield from _switched(run, accessory_tasks.restart, stops=True, starts=True)


def _switched(run: Run, decide: Decide, *, stops: bool, starts: bool) -> Iterator[StringCommand]:
    changes = [change for change in decide(run, seen(run)).changes if isinstance(change, SwitchAccessory)]
    if not changes:
        current_host().noop("nothing to switch")
        return
    announce(changes)
    for change in changes:
        stop = chain(commands.stop(change.container), audited(run, f"Stopped {change.name} accessory"))
        start = chain(commands.start(change.container), audited(run, f"Started {change.name} accessory"))
        yield StringCommand(guarded(chain(*[stop] * stops, *[start] * starts), seconds=SWITCH_SECONDS))


@operation()
def removed(run: Run, decide: Decide) -> Generator[StringCommand, None, None]:
    """Accessories are gone; their data only if that was asked for.

    + run: the run's fixed values.
    + decide: which, and with what.
    """
    changes = [change for change in decide(run, seen(run)).changes if isinstance(change, RemoveAccessory)]
    if not changes:
        current_host().noop("there is no accessory to remove")
        return
    announce(changes)
    for change in changes:
        yield StringCommand(guarded(_remove(run, change), seconds=REMOVE_SECONDS))


def _remove(run: Run, change: RemoveAccessory) -> str:
    has_container = bool(change.image)
    return chain(
        commands.stop(change.container) if change.is_running else "",
        audited(run, f"Stopped {change.name} accessory") if change.is_running else "",
        commands.remove(change.container) if has_container else "",
        audited(run, f"Remove {change.name} accessory container") if has_container else "",
        commands.remove_image(change.image) if has_container else "",
        audited(run, f"Removed {change.name} accessory image") if has_container else "",
        remove_files((change.env_file,)),
        remove_directories((change.data,)) if change.data else "",
    )
