"""The faults that CI does; `make faults` does all of the table."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Fleet
from tests.faults.scene import play
from tests.faults.table import CASES, CI


@pytest.mark.lab
@pytest.mark.parametrize(("fault", "phase"), CI, ids=[f"{fault}: {phase}" for fault, phase in CI])
def test_the_fleet_serves_and_a_rerun_heals(fleet: Fleet, fault: str, phase: str) -> None:
    """With the fault at the phase no request must fail, the message must help, and the rerun converge wholly."""
    stage = fleet.get()
    outcome = play(stage, fault, phase, CASES[fault, phase])
    if outcome.is_healed:
        fleet.give_back(stage)
    assert not outcome.problems, "\n".join(outcome.problems)
