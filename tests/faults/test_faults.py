"""Each fault once, and a fault at each phase; `make faults` does every fault at every phase."""

from __future__ import annotations

import pytest

from tests.faults import results
from tests.faults.conftest import Fleet
from tests.faults.scene import play
from tests.faults.table import CASES, COVERING

FLEETS = 4
"""So many labs may take a share of the faults; the cases of one share follow each other on one fleet."""


def shares() -> list[tuple[int, str, str]]:
    """Deal the faults out, the longest first, each to the fleet that has the least to do; sorted by fleet."""
    took = {cell: float(entry["seconds"]) for cell, entry in results.read().items()}
    busy = dict.fromkeys(range(1, FLEETS + 1), 0.0)
    dealt = []
    for cell in sorted(COVERING.items(), key=lambda cell: -took.get(cell, 20.0)):
        number = min(busy, key=lambda each: busy[each])
        busy[number] += took.get(cell, 20.0)
        dealt.append((number, *cell))
    return sorted(dealt, key=lambda share: share[0])


@pytest.mark.lab
@pytest.mark.parametrize(
    ("number", "fault", "phase"),
    [pytest.param(*share, id=f"{share[1]}: {share[2]}") for share in shares()],
)
def test_the_fleet_serves_and_a_rerun_heals(fleet: Fleet, number: int, fault: str, phase: str) -> None:
    """With the fault at the phase no request must fail, the message must help, and the rerun converge wholly."""
    stage = fleet.get(number)
    outcome = play(stage, fault, phase, CASES[fault, phase])
    if outcome.is_healed:
        fleet.give_back(stage)
    assert not outcome.problems, "\n".join(outcome.problems)
