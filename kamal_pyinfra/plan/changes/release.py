"""The command that runs once before a new version boots."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.state import ReleaseCommand


@dataclass(frozen=True, kw_only=True)
class RunRelease(Change):
    """The release command runs in a container of the new version."""

    kind = "release"

    release: ReleaseCommand

    @property
    def subject(self) -> str:
        """What is run."""
        return self.release.cmd
