"""The ages that `kp status` shows, and what it marks."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from kamal_pyinfra.cli.commands.status import _table
from kamal_pyinfra.cli.output import age
from kamal_pyinfra.insight.status import StatusRow

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "text"),
    [
        ("2026-01-02T03:04:05.9Z", "0 s"),
        ("2026-01-02T03:03:06.123456789Z", "59 s"),
        ("2026-01-02T03:03:05Z", "1 min"),
        ("2026-01-02T01:04:06Z", "1 h"),
        ("2025-12-31T00:00:00Z", "2 d"),
        ("", ""),
    ],
)
def test_an_age_is_in_the_largest_unit_that_fits(since: str, text: str) -> None:
    assert age(since, NOW) == text


@pytest.mark.parametrize(
    ("state", "health", "drift", "marked"),
    [
        ("running", "healthy", "", ["32 running", "32 healthy"]),
        ("running", "starting", "", ["32 running", "33 starting"]),
        ("running", "unhealthy", "", ["32 running", "31 unhealthy"]),
        ("exited", "", "state: running → exited", ["31 exited", "33 state: running → exited"]),
        ("missing", "", "", ["31 missing"]),
    ],
)
def test_what_is_not_as_it_should_be_stands_out(state: str, health: str, drift: str, marked: list[str]) -> None:
    row = StatusRow(
        host="web1", role="web", version="v2", state=state, health=health, since="", drift=(drift,) if drift else ()
    )
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard", width=100).print(_table((row,)))
    assert re.findall("\x1b\\[(3\\d)m([^\x1b]*)", stream.getvalue().splitlines()[1]) == [
        tuple(each.split(" ", 1)) for each in marked
    ]
