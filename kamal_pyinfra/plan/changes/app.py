"""Changes of app containers: booted, restarted, stopped."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.state import AppContainer, Assets


@dataclass(frozen=True, kw_only=True)
class SyncAssets(Change):
    """The files of a version get extracted, and old and new ones get each other's."""

    kind = "assets"

    assets: Assets
    image: str
    old_containers: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The folder that the container mounts."""
        return self.assets.volume


@dataclass(frozen=True, kw_only=True)
class BootContainer(Change):
    """A container gets started beside whatever runs; what it replaces serves until it is healthy.

    Args:
        replaces: the running containers of its role that are stopped once it serves.
        awaited_port: on which it has to listen before it may become healthy; empty for the lowest that its image
            exposes.
    """

    usual_action = Action.CREATE
    kind = "container"

    container: AppContainer
    replaces: tuple[str, ...] = ()
    awaited_port: str | None = None

    @property
    def action(self) -> Action:
        """A predecessor makes it a replacement."""
        return Action.REPLACE if self.replaces else self.usual_action

    @property
    def subject(self) -> str:
        """Its name."""
        return self.container.name


@dataclass(frozen=True, kw_only=True)
class ReplaceContainer(BootContainer):
    """A container of the same name steps aside for a new one; it serves until that one is healthy."""

    usual_action = Action.REPLACE


@dataclass(frozen=True, kw_only=True)
class RestartContainer(BootContainer):
    """A retained container that still matches the configuration gets started again.

    Args:
        cord: the host folder that it mounts as its cord, if it mounts one.
    """

    usual_action = Action.UPDATE

    cord: str | None


@dataclass(frozen=True, kw_only=True)
class AwaitContainer(BootContainer):
    """A container that already runs as configured has not become healthy yet."""

    usual_action = Action.UPDATE


@dataclass(frozen=True, kw_only=True)
class StopContainer(Change):
    """A running app container gets drained and stopped; it stays on the host for a rollback.

    Args:
        cord: the host folder that it mounts as its cord, if it mounts one.
        drain_timeout: seconds within which Docker must call it unhealthy once its cord is cut.
        stop_timeout: seconds between TERM and KILL; ``None`` is Docker's own 10.
    """

    usual_action = Action.REMOVE
    kind = "container"

    name: str
    cord: str | None
    drain_timeout: int
    stop_timeout: int | None

    @property
    def subject(self) -> str:
        """Its name."""
        return self.name
