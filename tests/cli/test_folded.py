"""A plan on a terminal that is narrower than its lines."""

from __future__ import annotations

from textwrap import dedent

import pytest

from kamal_pyinfra.cli.output import folded

PLAN = """\
Plan for shop v2

web ×2: 192.0.2.11, 192.0.2.12
  ± container shop-web-v2                              version v1 → v2
  - directory .kamal/cords/shop-web-11111111111111111  no container mounts it
    a difference

Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 8 unchanged.
"""


def seen(width: int) -> str:
    return "\n".join(part for line in PLAN.split("\n") for part in folded(line, width))


@pytest.mark.parametrize("width", [77, 80, 200])
def test_what_fits_stays_as_it_is(width: int) -> None:
    assert seen(width) == PLAN


def test_a_cause_that_does_not_fit_goes_below_what_changes() -> None:
    assert seen(60) == dedent("""\
        Plan for shop v2

        web ×2: 192.0.2.11, 192.0.2.12
          ± container shop-web-v2
                      version v1 → v2
          - directory .kamal/cords/shop-web-11111111111111111
                      no container mounts it
            a difference

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 8
            unchanged.
        """)


def test_nothing_is_lost_however_narrow_it_is() -> None:
    assert seen(1).split() == PLAN.split()
