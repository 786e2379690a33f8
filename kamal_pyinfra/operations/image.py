"""Registry login and image pull."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from gevent.lock import BoundedSemaphore
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput

from kamal_pyinfra.config.secrets import registry_credentials
from kamal_pyinfra.local import registry_tunnel as own_forward
from kamal_pyinfra.operations.audit import announce, audited
from kamal_pyinfra.operations.run_state import current_host, current_state, look, run_state, seen
from kamal_pyinfra.plan.changes.host import PullImage
from kamal_pyinfra.plan.diff.host import diff_images, diff_login
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import image as commands
from kamal_pyinfra.shell.files import measured
from kamal_pyinfra.shell.script import chain, guarded
from kamal_pyinfra.ssh.limits import LimitedPull


def pulling(run: Run, script: str) -> str:
    """A script that may pull an image, and last as long as that may."""
    return guarded(script, seconds=run.config.pull_timeout, key="pull_timeout")


@operation()
def logged_in(run: Run) -> Generator[StringCommand, None, None]:
    """The host's engine has the registry's credentials before it pulls.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    changes = diff_login(desired, observed)
    if not changes:
        current_host().noop("nothing to pull")
        return
    announce(changes)
    registry = desired.registry
    if registry is None:
        return
    yield StringCommand(
        f"{commands.log_in(registry.server, registry.username)} > /dev/null",
        _stdin=measured(registry.password.get_secret_value()),
    )


@operation()
def present(run: Run) -> Generator[PyinfraCommand, None, None]:
    """The image of the run's version is on the host and carries the service's label.

    + run: the run's fixed values.
    """
    changes = diff_images(*look(run))
    if not changes:
        current_host().noop(f"{run.version} is on the host")
        return
    announce(changes)
    for change in changes:
        if isinstance(change, PullImage):
            yield from _pull(run, change)


def _pull(run: Run, change: PullImage) -> Generator[PyinfraCommand, None, None]:
    audit = audited(run, f"Pulled image with version {run.version}")
    slots = run_state(current_state()).pull_slots(run)
    if run.config.registry.is_built_in:
        yield OwnPull(run, change, audit, slots)
    else:
        yield LimitedPull(pulling(run, chain(commands.pull(change.image, change.service), audit)), slots)


class OwnPull(LimitedPull):
    """A pull from the own registry, which is lent to the host for as long as its pull lasts, and no longer.

    Args:
        run: the run's fixed values.
        change: the image.
        audit: what follows the pull.
        slots: of which it takes one.
    """

    def __init__(self, run: Run, change: PullImage, audit: str, slots: BoundedSemaphore) -> None:
        super().__init__(f"docker pull {change.image}", slots)
        self.run = run
        self.change = change
        self.audit = audit

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Lend the registry, have the host pull, and take the registry back, however that ends."""
        with self.slots:
            try:
                script = own_forward.lend(state, host, self.run, self.change.image, self.change.service)
                if script is None:
                    return False, CommandOutput([])
                command = StringCommand(pulling(self.run, chain(script, self.audit)))
                return command.execute(state, host, connector_arguments)
            finally:
                own_forward.take_back(host, self.run)


@operation(is_idempotent=False)
def credentials_renewed(run: Run) -> Generator[StringCommand, None, None]:
    """The engine has today's credentials; what it has is not readable, so it gets them anew.

    + run: the run's fixed values.
    """
    username, password = registry_credentials(run.config)
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
