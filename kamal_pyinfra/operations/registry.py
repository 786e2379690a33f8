"""The registry's credentials in a host's engine."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.observation import current_host, seen
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import image as commands
from kamal_pyinfra.shell.files import measured


@operation(is_idempotent=False)
def logged_in(run: Run) -> Generator[StringCommand, None, None]:
    """The engine has today's credentials; what it has is not readable, so it gets them anew.

    + run: the run's fixed values.
    """
    username, password = run.config.registry_credentials()
    command = f"{commands.log_in(run.config.registry.server, username)} > /dev/null"
    yield StringCommand(command, _stdin=measured(password.get_secret_value()))


@operation()
def logged_out(run: Run) -> Generator[StringCommand, None, None]:
    """The engine has no credentials.

    + run: the run's fixed values.
    """
    if not seen(run).logged_in:
        current_host().noop("not logged in")
        return
    yield StringCommand(commands.log_out(run.config.registry.server))
