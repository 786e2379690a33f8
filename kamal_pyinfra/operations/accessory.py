"""How changes of accessories are made."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from pyinfra.api.command import StringCommand

from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.operations.run_state import observe
from kamal_pyinfra.plan.changes import Action, BootAccessory, RemoveAccessory, SwitchAccessory
from kamal_pyinfra.plan.compare.container import files_to_upload
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import Upload
from kamal_pyinfra.shell import accessory as commands
from kamal_pyinfra.shell import container
from kamal_pyinfra.shell.host import remove_directories, remove_files
from kamal_pyinfra.shell.script import chain, guarded, with_functions

SWITCH_SECONDS = 120
REMOVE_SECONDS = 300


def boot(run: Run, change: BootAccessory) -> Iterator[str | StringCommand]:
    """Folders, files, and a container that runs."""
    if change.accessory.directories:
        yield commands.make_directories(change.accessory.directories)
    yield from written(files_to_upload(change.accessory, observe(run)))
    lines, booting = [f"Booted {change.name} accessory"], commands.run(change.accessory)
    if change.action is Action.REPLACE:
        lines = [f"Stopped {change.name} accessory", f"Remove {change.name} accessory container", *lines]
        booting = commands.replace(change.accessory)
    yield pulling(run, chain(booting, *(audited(run, line) for line in lines)))


def written(uploads: tuple[Upload, ...]) -> Iterator[StringCommand]:
    """Files with the content that they have on this machine.

    It travels as base64 on standard input, of which pyinfra would alter the last line break, behind its length, so
    that a host knows whether all of it came.
    """
    for upload in uploads:
        if upload.content is not None:
            raw = upload.content.encode() if isinstance(upload.content, str) else upload.content
            script = with_functions(commands.write_file(upload.path))
            yield StringCommand(script, _stdin=f"{len(raw)}\n{base64.b64encode(raw).decode()}")


def switch(run: Run, change: SwitchAccessory) -> list[str]:
    """An accessory is stopped, started, or both."""
    stopping = chain(container.stop(change.container), audited(run, f"Stopped {change.name} accessory"))
    starting = chain(container.start(change.container), audited(run, f"Started {change.name} accessory"))
    script = chain(stopping if change.stops else "", starting if change.starts else "")
    return [guarded(script, seconds=SWITCH_SECONDS)]


def remove(run: Run, change: RemoveAccessory) -> list[str]:
    """An accessory is gone; its data only if that was asked for."""
    steps = []
    if change.is_running:
        steps += [container.stop(change.container), audited(run, f"Stopped {change.name} accessory")]
    if change.image:  # there is a container
        steps += [container.remove(change.container), audited(run, f"Remove {change.name} accessory container")]
        steps += [commands.remove_image(change.image), audited(run, f"Removed {change.name} accessory image")]
    steps += [remove_files((change.env_file,)), remove_directories((change.data,)) if change.data else ""]
    return [guarded(chain(*steps), seconds=REMOVE_SECONDS)]
