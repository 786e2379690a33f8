"""Docker, folders and env files."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.run_state import current_host, forget, look, seen
from kamal_pyinfra.plan.changes.host import CreateDirectories, InstallDocker, ProtectEnvFile, WriteEnvFile
from kamal_pyinfra.plan.diff.host import diff_directories, diff_docker, diff_env_files
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.host import bootstrap, diff_deleted_env_files
from kamal_pyinfra.shell import files as commands
from kamal_pyinfra.shell.files import make_directories
from kamal_pyinfra.shell.host import install_docker
from kamal_pyinfra.shell.script import chain, guarded
from kamal_pyinfra.ssh.connection import reconnect

INSTALL_SECONDS = 900


@operation()
def installed(run: Run) -> Generator[PyinfraCommand, None, None]:
    """Docker is there, runs and answers the SSH user.

    + run: the run's fixed values.

    Outside ``setup`` an engine that does not answer fails the host instead.

    **Examples:**

    .. code:: python

        docker.installed(name="Install Docker", run=run)
    """
    changes = diff_docker(*look(run))
    if not changes:
        current_host().noop("Docker answers")
        return
    announce(changes)
    if not run.is_setup:
        yield StringCommand("docker version > /dev/null || { echo 'run `kp setup` first' >&2; exit 1; }")
        return
    yield StringCommand(guarded(install_docker(), seconds=INSTALL_SECONDS))
    yield FunctionCommand(renew_login, (), {})


def renew_login(state: State, host: Host) -> None:
    """A user's new group counts from the next login on."""
    reconnect(host)
    forget(state, host.name)


@operation()
def bootstrapped(run: Run) -> Generator[PyinfraCommand, None, None]:
    """Docker answers the SSH user, and the folders of ours are there.

    + run: the run's fixed values.
    """
    changes = bootstrap(run, seen(run)).changes
    if not changes:
        current_host().noop("the server is ready")
        return
    announce(changes)
    for change in changes:
        if isinstance(change, InstallDocker):
            yield StringCommand(guarded(install_docker(), seconds=INSTALL_SECONDS))
            yield FunctionCommand(renew_login, (), {})
        if isinstance(change, CreateDirectories):
            yield StringCommand(make_directories(change.paths))


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
