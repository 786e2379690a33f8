"""What a load saw: written by `tests.lab.load` as JSON, read by tests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Failure:
    """One request that was not answered with 200."""

    at: float
    url: str
    kind: str
    error: str


@dataclass(frozen=True)
class LoadReport:
    """The sum of a load; `failures` holds the first twenty of `failed`, `failed_at` counts all by URL."""

    seconds: float
    total: int
    failed: int
    failures: tuple[Failure, ...]
    versions: dict[str, int]
    slowest_ms: float
    median_ms: float
    failed_at: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> LoadReport:
        found: dict[str, Any] = json.loads(path.read_text())
        failures = tuple(Failure(**failure) for failure in found.pop("failures"))
        return cls(**found, failures=failures)

    def write(self, path: Path) -> None:
        path.write_text(self.as_json() + "\n")

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)
