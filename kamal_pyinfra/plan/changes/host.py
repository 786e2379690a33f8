"""Changes of engine, folders, env files, images, leftovers and records."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.state.desired import EnvFile


@dataclass(frozen=True, kw_only=True)
class InstallDocker(Change):
    """Docker gets installed, started or opened to the SSH user."""

    usual_action = Action.CREATE
    kind = "docker"
    subject_field = "engine"

    engine: str = "docker"


@dataclass(frozen=True, kw_only=True)
class CreateDirectories(Change):
    """Missing folders get created."""

    usual_action = Action.CREATE
    kind = "directory"
    subject_field = "paths"

    paths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WriteEnvFile(Change):
    """A file of secrets gets written."""

    kind = "env file"
    subject_field = "file.path"

    file: EnvFile


@dataclass(frozen=True, kw_only=True)
class CreateEnvFile(WriteEnvFile):
    """A file of secrets that is not there yet gets written."""

    usual_action = Action.CREATE


@dataclass(frozen=True, kw_only=True)
class ProtectEnvFile(Change):
    """A file of secrets that others could read gets its mode back."""

    kind = "env file"
    subject_field = "file.path"

    file: EnvFile


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
class LogOut(LogIn):
    """The host's engine forgets the registry's credentials."""

    usual_action = Action.REMOVE


@dataclass(frozen=True, kw_only=True)
class PullImage(Change):
    """The image of a version gets fetched."""

    usual_action = Action.CREATE
    kind = "image"
    subject_field = "image"

    image: str
    service: str


@dataclass(frozen=True, kw_only=True)
class TagLatest(Change):
    """The tag that says which version is in service moves."""

    kind = "tag"
    subject_field = "tag"

    image: str
    tag: str


@dataclass(frozen=True, kw_only=True)
class RemoveContainer(Change):
    """A container gets removed.

    Args:
        is_running: it has to be stopped first.
    """

    usual_action = Action.REMOVE
    kind = "container"

    name: str
    is_running: bool = False


@dataclass(frozen=True, kw_only=True)
class RemoveImage(Change):
    """A tag that no container needs gets removed."""

    usual_action = Action.REMOVE
    kind = "image"
    subject_field = "image"

    image: str


@dataclass(frozen=True, kw_only=True)
class RemoveUntagged(Change):
    """Images of a service that lost their tag to a newer one get removed.

    Args:
        image: what Docker calls them.
        service: the value of their ``service`` label, by which Docker finds them.
    """

    usual_action = Action.REMOVE
    kind = "image"
    subject_field = "image"

    image: str
    service: str


@dataclass(frozen=True, kw_only=True)
class RemoveFile(Change):
    """A file of the service gets removed."""

    usual_action = Action.REMOVE
    kind = "file"
    subject_field = "path"

    path: str


@dataclass(frozen=True, kw_only=True)
class RemoveEnvFile(RemoveFile):
    """A file of secrets gets removed."""

    kind = "env file"


@dataclass(frozen=True, kw_only=True)
class RemoveDirectory(Change):
    """A cord or asset folder that no container mounts gets removed."""

    usual_action = Action.REMOVE
    kind = "directory"
    subject_field = "path"

    path: str


@dataclass(frozen=True, kw_only=True)
class ForgetHosts(Change):
    """The record on a host no longer names hosts that left the configuration."""

    kind = "record"
    subject_field = "path"

    path: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BuildImage(Change):
    """The image gets built and pushed from the deploying machine."""

    usual_action = Action.CREATE
    kind = "build"
    subject_field = "image"

    image: str
