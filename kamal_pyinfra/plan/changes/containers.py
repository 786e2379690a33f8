"""Changes of app, accessory and proxy containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.changes.host import CreateDirectories, RemoveEnvFile, RemoveImage
from kamal_pyinfra.plan.state.desired import AccessoryContainer, AppContainer, Assets, Proxy, ReleaseCommand, Upload


@dataclass(frozen=True, kw_only=True)
class SyncAssets(Change):
    """The files of a version get extracted, and old and new ones get each other's."""

    kind = "assets"
    subject_field = "assets.volume"

    assets: Assets
    image: str
    old_containers: tuple[str, ...]


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
    subject_field = "container.name"

    container: AppContainer
    replaces: tuple[str, ...] = ()
    awaited_port: str | None = None

    @property
    def action(self) -> Action:
        """A predecessor makes it a replacement."""
        return Action.REPLACE if self.replaces else self.usual_action


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


@dataclass(frozen=True, kw_only=True)
class AccessoryChange(Change):
    """Something about one accessory.

    Args:
        name: what the configuration calls it, or called it.
        container: the name of its container.
    """

    kind = "accessory"
    verb: ClassVar[str] = ""
    subject_field = "container"

    name: str
    container: str

    @property
    def command(self) -> str:
        """What makes the change, where a run only advises it."""
        return f"kp accessory {self.verb} {self.name}"


@dataclass(frozen=True, kw_only=True)
class BootAccessory(AccessoryChange):
    """An accessory that is not there gets run."""

    usual_action = Action.CREATE
    verb = "boot"

    accessory: AccessoryContainer


@dataclass(frozen=True, kw_only=True)
class RebootAccessory(BootAccessory):
    """An accessory gets replaced by one as configured; its folders and volumes stay."""

    usual_action = Action.REPLACE
    verb = "reboot"


@dataclass(frozen=True, kw_only=True)
class SwitchAccessory(AccessoryChange):
    """An accessory gets started, stopped or both, as it is."""

    verb = "start"

    stops: bool = False
    starts: bool = True


@dataclass(frozen=True, kw_only=True)
class CreateAccessoryDirectories(CreateDirectories):
    """Missing folders of accessories get created, which a container of any user can reach."""


@dataclass(frozen=True, kw_only=True)
class UploadFiles(AccessoryChange):
    """Files of an accessory get written; it reads them when it starts."""

    kind = "files"
    verb = "upload"

    uploads: tuple[Upload, ...]

    @property
    def subject(self) -> str:
        """Their paths."""
        return ", ".join(upload.path for upload in self.uploads)


@dataclass(frozen=True, kw_only=True)
class RemoveAccessory(AccessoryChange):
    """An accessory's container, its image if nothing else uses it, and its secrets go.

    Args:
        image: what it runs; empty if there is no container.
        data: the folder with its files and relative directories, if it goes too; empty if it stays.
    """

    usual_action = Action.REMOVE
    verb = "remove"

    image: str
    env_file: str
    data: str = ""
    is_running: bool = True


@dataclass(frozen=True, kw_only=True)
class RunProxy(Change):
    """The proxy gets created."""

    usual_action = Action.CREATE
    kind = "proxy"
    subject_field = "proxy.name"

    proxy: Proxy


@dataclass(frozen=True, kw_only=True)
class StartProxy(RunProxy):
    """The stopped proxy gets started."""

    usual_action = Action.UPDATE


@dataclass(frozen=True, kw_only=True)
class ReplaceProxy(RunProxy):
    """The proxy gets replaced, which interrupts traffic for a moment."""

    usual_action = Action.REPLACE


@dataclass(frozen=True, kw_only=True)
class RebootProxy(RunProxy):
    """A new proxy gets run in any case, and has to serve before that counts as done."""

    is_there: bool

    @property
    def action(self) -> Action:
        """A predecessor makes it a replacement."""
        return Action.REPLACE if self.is_there else self.usual_action


@dataclass(frozen=True, kw_only=True)
class SwitchProxy(Change):
    """The proxy gets stopped, started, or both, as it is; its configuration is not looked at."""

    kind = "proxy"

    name: str
    stops: bool = False
    starts: bool = True


@dataclass(frozen=True, kw_only=True)
class RemoveProxy(Change):
    """The proxy gets stopped and removed."""

    usual_action = Action.REMOVE
    kind = "proxy"

    name: str


@dataclass(frozen=True, kw_only=True)
class RemoveProxyImage(RemoveImage):
    """The proxy's image gets removed."""


@dataclass(frozen=True, kw_only=True)
class RemoveProxyEnvFile(RemoveEnvFile):
    """The proxy's secrets go with it."""


@dataclass(frozen=True, kw_only=True)
class RunRelease(Change):
    """The release command runs in a container of the new version."""

    kind = "release"
    subject_field = "release.cmd"

    release: ReleaseCommand


@dataclass(frozen=True, kw_only=True)
class StartContainer(Change):
    """An app container that is there gets started, as it is.

    Args:
        cord: the host folder that it mounts as its cord, if it mounts one.
        deadline: seconds within which it must become healthy.
        readiness_delay: seconds that it must stay up without a health check.
        log_lines: how much of its log is shown when it does not.
    """

    kind = "container"

    name: str
    version: str
    cord: str | None
    deadline: int
    readiness_delay: int
    log_lines: int
