"""Every kind of change that a plan can hold: one small class each, all with a cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import ClassVar, dataclass_transform

from kamal_pyinfra.plan.compare.fields import Difference
from kamal_pyinfra.plan.state import desired


class Action(StrEnum):
    """What happens to the thing; the value is its symbol in a printed plan (after Terraform)."""

    CREATE = "+"
    UPDATE = "~"
    REPLACE = "±"
    REMOVE = "-"


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that will be different on one host, and why.

    The line of a class names its ``kind`` for a plan, its usual ``action``, and the field with the ``subject``, which
    is the name of a container, file, image or folder; without them they are those of the class above. Every class below
    is made a frozen dataclass with keywords, as this one is.
    """

    kind: ClassVar[str] = ""
    usual_action: ClassVar[Action] = Action.UPDATE
    subject_field: ClassVar[str] = "name"

    cause: str  # the reason, as a short clause
    role: str = ""  # that it belongs to; empty for what belongs to the host
    differences: tuple[Difference, ...] = ()  # field by field, what is and what will be
    is_drift: bool = False  # whether somebody else changed the host, while the configuration is what it was
    part_of: str = ""  # the subject of the change that brings this one along; empty if it stands for itself
    special_action: Action | None = None  # in place of the usual one of its class

    def __init_subclass__(cls, *, kind: str = "", action: Action | None = None, subject: str = "") -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        cls.kind = kind or cls.kind
        cls.usual_action = action or cls.usual_action
        cls.subject_field = subject or cls.subject_field

    @property
    def action(self) -> Action:
        """What happens to the thing."""
        return self.special_action or self.usual_action

    @property
    def subject(self) -> str:
        """What changes."""
        value = attrgetter(self.subject_field)(self)
        return value if isinstance(value, str) else ", ".join(value)


class BuildImage(Change, kind="build", action=Action.CREATE, subject="image"):
    """The image gets built and pushed from the deploying machine."""

    image: str


class InstallDocker(Change, kind="docker", action=Action.CREATE, subject="engine"):
    """Docker gets installed, started or opened to the SSH user."""

    engine: str = "docker"


class CreateDirectories(Change, kind="directory", action=Action.CREATE, subject="paths"):
    """Missing folders get created."""

    paths: tuple[str, ...]
    are_of_accessories: bool = False  # so that a container of any user has to reach them


class WriteEnvFile(Change, kind="env file", subject="file.path"):
    """A file of secrets gets written, or gets its mode back."""

    file: desired.EnvFile
    keeps_content: bool = False  # whether others could read it and its mode is all that changes


class LogIn(Change, kind="registry"):
    """The host's engine gets the registry's credentials."""

    server: str | None

    @property
    def subject(self) -> str:
        """The registry."""
        return self.server or "Docker Hub"


class LogOut(LogIn, action=Action.REMOVE):
    """The host's engine forgets the registry's credentials."""


class PullImage(Change, kind="image", action=Action.CREATE, subject="image"):
    """The image of a version gets fetched."""

    image: str
    service: str


class TagLatest(Change, kind="tag", subject="tag"):
    """The tag that names the version in service moves."""

    image: str
    tag: str


class RemoveContainer(Change, kind="container", action=Action.REMOVE):
    """A container gets removed."""

    name: str
    is_running: bool = False  # so that it has to be stopped first


class RemoveImage(Change, kind="image", action=Action.REMOVE, subject="image"):
    """A tag that no container needs gets removed."""

    image: str


class RemoveProxyImage(RemoveImage):
    """The proxy's image gets removed."""


class RemoveUntagged(Change, kind="image", action=Action.REMOVE, subject="image"):
    """Images of a service that lost their tag to a newer one get removed."""

    image: str  # what Docker calls them
    service: str  # the value of their ``service`` label, by which Docker finds them


class RemoveFile(Change, kind="file", action=Action.REMOVE, subject="path"):
    """A file of the service gets removed."""

    path: str


class RemoveEnvFile(RemoveFile, kind="env file"):
    """A file of secrets gets removed."""


class RemoveProxyEnvFile(RemoveEnvFile):
    """The proxy's secrets get removed with it."""


class RemoveDirectory(Change, kind="directory", action=Action.REMOVE, subject="path"):
    """A cord or asset folder that no container mounts gets removed."""

    path: str


class ForgetHosts(Change, kind="record", subject="path"):
    """The record on a host no longer names hosts that left the configuration."""

    path: str
    hosts: tuple[str, ...]


class SyncAssets(Change, kind="assets", subject="assets.volume"):
    """The files of a version get extracted, and old and new ones get each other's."""

    assets: desired.Assets
    image: str
    old_containers: tuple[str, ...]


class RunRelease(Change, kind="release", subject="release.cmd"):
    """The release command runs in a container of the new version."""

    release: desired.ReleaseCommand


class BootContainer(Change, kind="container", action=Action.CREATE, subject="container.name"):
    """A container gets started beside whatever runs; what it replaces serves until it is healthy."""

    container: desired.AppContainer
    replaces: tuple[str, ...] = ()  # the running containers of its role that are stopped once it serves
    awaited_port: str | None = None  # on which it has to listen first; empty for the lowest that its image exposes
    stops_first: tuple[str, ...] = ()  # what has the same address and is stopped before it starts


class ReplaceContainer(BootContainer, action=Action.REPLACE):
    """A container of the same name steps aside for a new one; it serves until that one is healthy."""


class RestartContainer(BootContainer, action=Action.UPDATE):
    """A retained container that still matches the configuration gets started again."""

    cord: str | None  # the host folder that it mounts as its cord, if it mounts one


class AwaitContainer(BootContainer, action=Action.UPDATE):
    """A container that already runs as configured has not become healthy yet."""


class StartContainer(Change, kind="container"):
    """An app container that is there gets started, as it is."""

    name: str
    version: str
    cord: str | None  # the host folder that it mounts as its cord, if it mounts one
    deadline: int  # seconds within which it must become healthy
    readiness_delay: int  # seconds that it must stay up without a health check
    log_lines: int  # how much of its log is shown when it does not


class StopContainer(Change, kind="container", action=Action.REMOVE):
    """A running app container gets drained and stopped; it stays on the host for a rollback."""

    name: str
    cord: str | None  # the host folder that it mounts as its cord, if it mounts one
    drain_timeout: int  # seconds within which Docker must call it unhealthy once its cord is cut
    stop_timeout: int | None  # seconds between TERM and KILL; ``None`` is Docker's own 10


class AccessoryChange(Change, kind="accessory", subject="container"):
    """Something about one accessory."""

    verb: ClassVar[str] = ""

    name: str  # what the configuration calls it, or called it
    container: str  # the name of its container

    @property
    def command(self) -> str:
        """What makes the change, where a run only advises it; a replacement is the same once more."""
        return f"kp accessory {'re' if self.action is Action.REPLACE else ''}{self.verb} {self.name}"


class BootAccessory(AccessoryChange, action=Action.CREATE):
    """An accessory gets run as configured, or replaced by such a one; its folders and volumes stay."""

    verb = "boot"
    accessory: desired.AccessoryContainer


class SwitchAccessory(AccessoryChange):
    """An accessory gets started, stopped or both, as it is."""

    verb = "start"
    stops: bool = False
    starts: bool = True


class UploadFiles(AccessoryChange, kind="files"):
    """Files of an accessory get written; it reads them when it starts."""

    verb = "upload"
    uploads: tuple[desired.Upload, ...]

    @property
    def subject(self) -> str:
        """Their paths."""
        return ", ".join(upload.path for upload in self.uploads)


class RemoveAccessory(AccessoryChange, action=Action.REMOVE):
    """An accessory's container, its image if nothing else uses it, and its secrets get removed."""

    verb = "remove"
    image: str  # what it runs; empty if there is no container
    env_file: str
    data: str = ""  # the folder with its files and relative directories, if it goes too; empty if it stays
    is_running: bool = True


class RunProxy(Change, kind="proxy", action=Action.CREATE, subject="proxy.name"):
    """The proxy gets created, started (an update) or replaced, which interrupts traffic for a moment."""

    proxy: desired.Proxy


class RebootProxy(RunProxy):
    """A new proxy gets run in any case, and has to serve before that counts as done."""


class SwitchProxy(Change, kind="proxy"):
    """The proxy gets stopped, started, or both, as it is; its configuration is not compared."""

    name: str
    stops: bool = False
    starts: bool = True


class RemoveProxy(Change, kind="proxy", action=Action.REMOVE):
    """The proxy gets stopped and removed."""

    name: str
