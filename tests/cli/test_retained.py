"""How the versions that a rollback can go to are shown."""

from __future__ import annotations

from datetime import UTC, datetime

from kamal_pyinfra.cli.commands.deploy import listing
from kamal_pyinfra.insight.status import Retained

NOW = datetime(2026, 5, 3, 10, tzinfo=UTC)
FOUND = (
    Retained(version="v12", created="2026-05-03T09:59:00.5Z", is_in_service=True),
    Retained(version="v9", created="2026-05-03T09:00:00Z"),
    Retained(version="v8", created="2026-05-02T09:00:00Z", missing=("web2",)),
    Retained(version="v7", created="2026-05-01T09:00:00Z"),
)


def test_those_that_can_be_chosen_are_numbered() -> None:
    assert listing(FOUND, NOW, is_numbered=True) == [
        "    v12  1 min ago, in service",
        "1)  v9   1 h ago",
        "    v8   1 d ago, but its image is not on web2",
        "2)  v7   2 d ago",
    ]


def test_without_terminal_the_versions_stand_alone() -> None:
    assert [line.split()[0] for line in listing(FOUND, NOW)] == ["v12", "v9", "v8", "v7"]
