"""Folders and secret files."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, look, seen
from kamal_pyinfra.plan.changes.host import CreateDirectories, ProtectEnvFile, WriteEnvFile
from kamal_pyinfra.plan.diff.host import diff_directories, diff_env_files
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.host import diff_deleted_env_files
from kamal_pyinfra.shell import files as commands
from kamal_pyinfra.shell.script import chain


@operation()
def directories(run: Run) -> Generator[StringCommand, None, None]:
    """The folders below the run directory exist.

    + run: the run's fixed values.
    """
    changes = diff_directories(*look(run))
    if not changes:
        current_host().noop("all folders are there")
        return
    announce(changes)
    for change in changes:
        if isinstance(change, CreateDirectories):
            yield StringCommand(commands.make_directories(change.paths))


@operation()
def env_files(run: Run) -> Generator[StringCommand, None, None]:
    """The files with secrets have today's content, mode 0600 from birth.

    + run: the run's fixed values.

    The content travels on standard input: not in an argument list, a log or a file elsewhere.
    """
    changes = diff_env_files(*look(run))
    if not changes:
        current_host().noop("all env files are up to date")
        return
    announce(changes)
    for change in changes:
        if isinstance(change, ProtectEnvFile):
            yield StringCommand(commands.protect(change.file.path))
        elif isinstance(change, WriteEnvFile) and change.file.content is not None:
            text = change.file.content.get_secret_value()
            yield StringCommand(commands.write_secret(change.file.path), _stdin=commands.measured(text))
    yield StringCommand(audited(run, "Pushed env files"))


@operation()
def env_files_deleted(run: Run) -> Generator[StringCommand, None, None]:
    """No file with secrets of this service is on the host.

    + run: the run's fixed values.
    """
    changes = diff_deleted_env_files(run, seen(run))
    if not changes:
        current_host().noop("there are no env files")
        return
    announce(changes)
    paths = tuple(change.path for change in changes)
    yield StringCommand(chain(commands.remove_files(paths), audited(run, "Deleted env files")))
