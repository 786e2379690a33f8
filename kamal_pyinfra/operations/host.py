"""How Docker, folders and env files come to a host."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.operations.audit import Audits, audited, show_planned
from kamal_pyinfra.operations.run_state import current_host, drop_snapshots, observe
from kamal_pyinfra.plan.changes import Change, CreateDirectories, ProtectEnvFile, WriteEnvFile
from kamal_pyinfra.plan.diff.host import missing_docker
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import host as commands
from kamal_pyinfra.shell.script import guarded, with_functions
from kamal_pyinfra.ssh.connection import reconnect

INSTALL_SECONDS = 900


@operation()
def installed(run: Run) -> Generator[PyinfraCommand, None, None]:
    """Docker is there, runs and answers the SSH user; outside ``setup``, the host fails where it does not."""
    changes = missing_docker(observe(run))
    if not changes:
        current_host().noop("Docker answers")
        return
    show_planned(changes)
    if run.is_setup:
        yield from install(run, changes, {})
    else:
        yield StringCommand("docker version > /dev/null || { echo 'run `kp setup` first' >&2; exit 1; }")


def install(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[PyinfraCommand]:
    """Docker, and a new login: a user's new group counts from the next one on."""
    yield StringCommand(guarded("install_docker", seconds=INSTALL_SECONDS))
    yield FunctionCommand(_renew_login, (), {})


def _renew_login(state: State, host: Host) -> None:
    reconnect(host)
    drop_snapshots(state, host.name)


def make_directories(run: Run, change: CreateDirectories) -> Iterator[StringCommand]:
    """The folders below the run directory."""
    yield StringCommand(commands.make_directories(change.paths))


def write_env_files(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[StringCommand]:
    """Files with secrets, mode 0600 from birth.

    The content travels on standard input: not in an argument list, a log or a file elsewhere.
    """
    for change in changes:
        if isinstance(change, ProtectEnvFile):
            yield StringCommand(commands.protect(change.file.path))
        elif isinstance(change, WriteEnvFile) and change.file.content is not None:
            script = with_functions(commands.write_secret(change.file.path))
            yield StringCommand(script, _stdin=commands.measured(change.file.content.get_secret_value()))
    yield StringCommand(audited(run, "Pushed env files"))
