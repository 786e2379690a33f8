"""A server before anything of ours is on it."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.docker import INSTALL_SECONDS, renew_login
from kamal_pyinfra.operations.observation import current_host, seen
from kamal_pyinfra.plan.changes.host import CreateDirectories, InstallDocker
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.host import bootstrap
from kamal_pyinfra.shell.files import make_directories
from kamal_pyinfra.shell.host import INSTALL_DOCKER
from kamal_pyinfra.shell.script import guarded


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
            yield StringCommand(guarded(INSTALL_DOCKER, seconds=INSTALL_SECONDS))
            yield FunctionCommand(renew_login, (), {})
        if isinstance(change, CreateDirectories):
            yield StringCommand(make_directories(change.paths))
