"""How Docker and env files come to a host."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from pyinfra.api import FunctionCommand, Host, State, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from kamal_pyinfra.operations.audit import Audits, audited, is_needed, show_planned
from kamal_pyinfra.operations.run_state import drop_snapshots, observe
from kamal_pyinfra.plan.changes import Change, CreateDirectories, WriteEnvFile
from kamal_pyinfra.plan.diff.host import missing_docker
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import accessory
from kamal_pyinfra.shell import host as commands
from kamal_pyinfra.shell.script import guarded, with_functions
from kamal_pyinfra.ssh.connection import reconnect

INSTALL_SECONDS = 900


@operation()
def installed(run: Run) -> Generator[str | PyinfraCommand, None, None]:
    """Docker is there, runs and answers the SSH user; outside ``setup``, the host fails where it does not."""
    changes = missing_docker(observe(run))
    show_planned(changes)
    if is_needed(changes, otherwise="Docker answers") and run.is_setup:
        yield from install(run, changes[0])
    elif changes:
        yield "docker version > /dev/null || { echo 'run `kp setup` first' >&2; exit 1; }"


def install(run: Run, change: Change) -> Iterator[str | PyinfraCommand]:
    """Docker, and a new login: a user's new group counts from the next one on."""
    yield guarded("install_docker", seconds=INSTALL_SECONDS)
    yield FunctionCommand(_renew_login, (), {})


def _renew_login(state: State, host: Host) -> None:
    reconnect(host)
    drop_snapshots(state, host.name)


def make_directories(run: Run, change: CreateDirectories) -> list[str]:
    """The folders below the run directory, or those of accessories."""
    return [(accessory if change.are_of_accessories else commands).make_directories(change.paths)]


def write_env_files(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[str | StringCommand]:
    """Files with secrets, mode 0600 from birth.

    The content travels on standard input: not in an argument list, a log or a file elsewhere.
    """
    for change in (each for each in changes if isinstance(each, WriteEnvFile)):
        if change.keeps_content:
            yield commands.protect(change.file.path)
        elif change.file.content is not None:
            script = with_functions(commands.write_secret(change.file.path))
            yield StringCommand(script, _stdin=commands.measured(change.file.content.get_secret_value()))
    yield audited(run, "Pushed env files")
