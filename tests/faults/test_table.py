"""The table of faults has no hole, and the page shows it."""

from __future__ import annotations

import pytest

from tests.faults import results
from tests.faults.table import CASES, COVERING, FAULTS, PHASES, Fault

CELLS = [pytest.param(fault, phase, id=f"{fault.name}: {phase}") for fault in FAULTS for phase in PHASES]


@pytest.mark.parametrize(("fault", "phase"), CELLS)
def test_every_cell_is_a_case_or_says_why_not(fault: Fault, phase: str) -> None:
    assert phase in fault.cases or fault.reason(phase)


def test_cases_are_of_known_phases_and_faults_have_one_row() -> None:
    assert {phase for _, phase in CASES} <= set(PHASES)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_each_fault_and_each_phase_is_in_the_tests_of_every_day() -> None:
    assert list(COVERING) == [fault.name for fault in FAULTS]
    assert set(COVERING.items()) <= set(CASES)
    assert set(COVERING.values()) == set(PHASES)


def test_results_are_of_cells_that_have_a_case() -> None:
    assert set(results.read()) <= set(CASES)


def test_the_page_shows_the_results() -> None:
    page = results.PAGE.read_text()
    assert page.partition(results.BEGIN)[2].partition(results.END)[0] == f"\n\n{results.table(results.read())}\n"
