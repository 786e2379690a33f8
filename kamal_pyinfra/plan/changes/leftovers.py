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
    """A container gets removed.

    Args:
        is_running: it has to be stopped first.
    """

    usual_action = Action.REMOVE
    kind = "container"

    name: str
    is_running: bool = False

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
class RemoveUntagged(Change):
    """Images of a service that lost their tag to a newer one get removed.

    Args:
        image: what Docker calls them.
        service: the value of their ``service`` label, by which Docker finds them.
    """

    usual_action = Action.REMOVE
    kind = "image"

    image: str
    service: str

    @property
    def subject(self) -> str:
        """What Docker calls them."""
        return self.image


@dataclass(frozen=True, kw_only=True)
class RemoveFile(Change):
    """A file of the service gets removed."""

    usual_action = Action.REMOVE
    kind = "file"

    path: str

    @property
    def subject(self) -> str:
        """Its path."""
        return self.path


@dataclass(frozen=True, kw_only=True)
class RemoveEnvFile(RemoveFile):
    """A file of secrets gets removed."""

    kind = "env file"


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
