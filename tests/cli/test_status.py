"""The ages that `kp status` shows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kamal_pyinfra.cli.status import age

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
