"""Where a configuration came from: what is not in deploy.yml itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kamal_pyinfra.config.environment import Environment
from kamal_pyinfra.config.tree import Position


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files, destination and environment of a loaded configuration.

    Args:
        path: the main file.
        root: the project's folder.
        environ: process environment and env files, merged.
        positions: where each path of the document was written.
    """

    path: Path = Path("config/deploy.yml")
    root: Path = field(default_factory=Path.cwd)
    destination: str | None = None
    environ: Environment = field(default_factory=lambda: Environment({}))
    positions: Mapping[str, Position] = field(default_factory=dict, repr=False)

    def located(self, path: str, message: str) -> str:
        """A problem line for a path of the document."""
        position = self.positions.get(path)
        return f"{path}: {message}" if position is None else f"{position} {path}: {message}"
