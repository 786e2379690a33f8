"""Docker itself."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.observation import current_host, forget, look
from kamal_pyinfra.plan.diff.host import diff_docker
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.host import INSTALL_DOCKER
from kamal_pyinfra.shell.script import guarded
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
    yield StringCommand(guarded(INSTALL_DOCKER, seconds=INSTALL_SECONDS))
    yield FunctionCommand(renew_login, (), {})


def renew_login(state: State, host: Host) -> None:
    """A user's new group counts from the next login on."""
    reconnect(host)
    forget(state, host.name)
