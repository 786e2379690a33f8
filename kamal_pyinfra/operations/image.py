"""Images on a host: present, tagged."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.commands import image as commands
from kamal_pyinfra.commands import own_registry
from kamal_pyinfra.commands.files import measured
from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.commands.shell import chain
from kamal_pyinfra.operations import own_forward
from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.operations.turns import InTurn
from kamal_pyinfra.plan.changes import PullImage
from kamal_pyinfra.plan.diff import diff_images, diff_login
from kamal_pyinfra.plan.run import Run


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
    is_own = run.config.registry.is_own
    if is_own:
        yield FunctionCommand(own_forward.lend, (run, change.image), {})
    was_sent = is_own and own_forward.was_sent(current_host())  # asked when pyinfra has executed the line above
    pull = own_registry.was_loaded if was_sent else commands.pull
    audit = audited(run, f"Pulled image with version {run.version}")
    yield InTurn(pulling(run, chain(pull(change.image, change.service), audit)), run)
    if is_own:
        yield FunctionCommand(own_forward.take_back, (run,), {})
