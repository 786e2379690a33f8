"""Changes that make a host ready for containers."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.state import EnvFile


@dataclass(frozen=True, kw_only=True)
class InstallDocker(Change):
    """Docker gets installed, started or opened to the SSH user."""

    usual_action = Action.CREATE
    kind = "docker"

    @property
    def subject(self) -> str:
        """The engine."""
        return "docker"


@dataclass(frozen=True, kw_only=True)
class CreateDirectories(Change):
    """Missing folders get created."""

    usual_action = Action.CREATE
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

    usual_action = Action.CREATE


@dataclass(frozen=True, kw_only=True)
class ProtectEnvFile(Change):
    """A file of secrets that others could read gets its mode back."""

    kind = "env file"

    file: EnvFile

    @property
    def subject(self) -> str:
        """Its path."""
        return self.file.path


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

    image: str
    service: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image
