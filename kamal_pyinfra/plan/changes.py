"""Every kind of change that a plan can hold: one small class each, all with a cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from kamal_pyinfra.plan.state import AppContainer, Assets, EnvFile, Proxy


class Action(StrEnum):
    """What happens to the thing; the value is its symbol in a printed plan (after Terraform)."""

    CREATE = "+"
    UPDATE = "~"
    REPLACE = "±"
    REMOVE = "-"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that will be different on one host, and why.

    Args:
        cause: the reason, as a short clause.
        role: the role that it belongs to; empty for what belongs to the host.
    """

    action: ClassVar[Action] = Action.UPDATE
    kind: ClassVar[str] = ""

    cause: str
    role: str = ""

    @property
    def subject(self) -> str:
        """What changes: the name of a container, file, image or folder."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class InstallDocker(Change):
    """Docker gets installed, started or opened to the SSH user."""

    action = Action.CREATE
    kind = "docker"

    @property
    def subject(self) -> str:
        """The engine."""
        return "docker"


@dataclass(frozen=True, kw_only=True)
class CreateDirectories(Change):
    """Missing folders get created."""

    action = Action.CREATE
    kind = "directory"

    paths: tuple[str, ...]

    @property
    def subject(self) -> str:
        """All folders."""
        return ", ".join(self.paths)


@dataclass(frozen=True, kw_only=True)
class WriteEnvFile(Change):
    """A file of secrets gets written."""

    kind = "env file"

    file: EnvFile

    @property
    def subject(self) -> str:
        """Its path."""
        return self.file.path


@dataclass(frozen=True, kw_only=True)
class CreateEnvFile(WriteEnvFile):
    """A file of secrets that is not there yet gets written."""

    action = Action.CREATE


@dataclass(frozen=True, kw_only=True)
class LogIn(Change):
    """The host's engine gets the registry's credentials."""

    kind = "registry"

    server: str | None

    @property
    def subject(self) -> str:
        """The registry."""
        return self.server or "Docker Hub"


@dataclass(frozen=True, kw_only=True)
class PullImage(Change):
    """The image of a version gets fetched."""

    action = Action.CREATE
    kind = "image"

    image: str
    service: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class RunProxy(Change):
    """The proxy gets created."""

    action = Action.CREATE
    kind = "proxy"

    proxy: Proxy

    @property
    def subject(self) -> str:
        """Its container."""
        return self.proxy.name


@dataclass(frozen=True, kw_only=True)
class StartProxy(RunProxy):
    """The stopped proxy gets started."""

    action = Action.UPDATE


@dataclass(frozen=True, kw_only=True)
class ReplaceProxy(RunProxy):
    """The proxy gets replaced, which interrupts traffic for a moment."""

    action = Action.REPLACE


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
    """A new app container gets started beside whatever runs."""

    action = Action.CREATE
    kind = "container"

    container: AppContainer

    @property
    def subject(self) -> str:
        """Its name."""
        return self.container.name


@dataclass(frozen=True, kw_only=True)
class ReplaceContainer(BootContainer):
    """A container of the same name steps aside for a new one; it serves until that one is healthy."""

    action = Action.REPLACE


@dataclass(frozen=True, kw_only=True)
class RestartContainer(BootContainer):
    """A retained container that still matches the configuration gets started again.

    Args:
        cord: the host folder that it mounts as its cord, if it mounts one.
    """

    action = Action.UPDATE

    cord: str | None


@dataclass(frozen=True, kw_only=True)
class AwaitContainer(BootContainer):
    """A container that already runs as configured has not become healthy yet."""

    action = Action.UPDATE


@dataclass(frozen=True, kw_only=True)
class StopContainer(Change):
    """A running app container gets drained and stopped; it stays on the host for a rollback.

    Args:
        cord: the host folder that it mounts as its cord, if it mounts one.
        drain_timeout: seconds within which Docker must call it unhealthy once its cord is cut.
        stop_timeout: seconds between TERM and KILL; ``None`` is Docker's own 10.
    """

    kind = "container"

    name: str
    cord: str | None
    drain_timeout: int
    stop_timeout: int | None

    @property
    def subject(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class TagLatest(Change):
    """The tag that says which version is in service moves."""

    kind = "tag"

    image: str
    tag: str

    @property
    def subject(self) -> str:
        """The tag."""
        return self.tag


@dataclass(frozen=True, kw_only=True)
class RemoveContainer(Change):
    """A stopped container beyond the number to retain gets removed."""

    action = Action.REMOVE
    kind = "container"

    name: str

    @property
    def subject(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class RemoveImage(Change):
    """A tag that no container needs gets removed."""

    action = Action.REMOVE
    kind = "image"

    image: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class RemoveDirectory(Change):
    """A cord or asset folder that no container mounts gets removed."""

    action = Action.REMOVE
    kind = "directory"

    path: str

    @property
    def subject(self) -> str:
        """Its path."""
        return self.path
