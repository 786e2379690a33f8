"""Registry login and image pull."""

from __future__ import annotations

from typing import Any

from gevent.lock import BoundedSemaphore
from pyinfra.api import Host, State, StringCommand
from pyinfra.connectors.util import CommandOutput

from kamal_pyinfra.config.secrets import registry_credentials
from kamal_pyinfra.local.registry_tunnel import Tunnel
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.run_state import current_state, run_state
from kamal_pyinfra.plan.changes import LogIn, PullImage
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import image as commands
from kamal_pyinfra.shell.host import measured
from kamal_pyinfra.shell.script import chain, guarded, with_functions
from kamal_pyinfra.ssh.commands import LimitedPull


def pulling(run: Run, script: str) -> str:
    """A script that may pull an image, and last as long as that may."""
    return guarded(script, seconds=run.config.pull_timeout, key="pull_timeout")


def log_in(run: Run, change: LogIn) -> list[StringCommand]:
    """The engine gets the registry's credentials; what it has cannot be read."""
    username, password = registry_credentials(run.config)
    script = with_functions(f"{commands.log_in(run.config.registry.server, username)} > /dev/null")
    return [StringCommand(script, _stdin=measured(password.get_secret_value()))]


def pull(run: Run, change: PullImage) -> list[LimitedPull]:
    """The image of the run's version, which carries the service's label."""
    audit, slots = audited(run, f"Pulled image with version {run.version}"), run_state(current_state()).pull_slots(run)
    if run.config.registry.is_built_in:
        return [BuiltInPull(run, change, audit, slots)]
    return [LimitedPull(pulling(run, chain(commands.pull(change.image, change.service), audit)), slots)]


class BuiltInPull(LimitedPull):
    """A pull from the built-in registry, to which the host has a tunnel as long as its pull lasts, and no longer."""

    def __init__(self, run: Run, change: PullImage, audit: str, slots: BoundedSemaphore) -> None:
        super().__init__(f"docker pull {change.image}", slots)
        self.run, self.change, self.audit = run, change, audit

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Open the tunnel, have the host pull, and close the tunnel, however that ends."""
        with self.slots:
            ours = run_state(state)
            tunnel = Tunnel(host, self.run, is_started=ours.is_registry_started)
            try:
                script = tunnel.establish(self.change.image, self.change.service)
                ours.is_registry_started = tunnel.is_started
                if script is None:
                    return False, CommandOutput([])
                command = StringCommand(pulling(self.run, chain(script, self.audit)))
                return command.execute(state, host, connector_arguments)
            finally:
                tunnel.close()
