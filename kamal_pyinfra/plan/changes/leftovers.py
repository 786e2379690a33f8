"""Changes once the wanted version serves: its tag, and what nobody needs any more."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Action, Change


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

    usual_action = Action.REMOVE
    kind = "container"

    name: str

    @property
    def subject(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class RemoveImage(Change):
    """A tag that no container needs gets removed."""

    usual_action = Action.REMOVE
    kind = "image"

    image: str

    @property
    def subject(self) -> str:
        """Its reference."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class RemoveDirectory(Change):
    """A cord or asset folder that no container mounts gets removed."""

    usual_action = Action.REMOVE
    kind = "directory"

    path: str

    @property
    def subject(self) -> str:
        """Its path."""
        return self.path


@dataclass(frozen=True, kw_only=True)
class RemoveFile(Change):
    """A file of ours that nothing reads any more gets removed."""

    usual_action = Action.REMOVE
    kind = "file"

    path: str

    @property
    def subject(self) -> str:
        """Its path."""
        return self.path


@dataclass(frozen=True, kw_only=True)
class RemoveProxy(Change):
    """A proxy that serves nobody any more gets stopped and removed."""

    usual_action = Action.REMOVE
    kind = "proxy"

    name: str

    @property
    def subject(self) -> str:
        """Its container."""
        return self.name
