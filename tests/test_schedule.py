"""What leaves `make test` for `make nightly` is still run, and what proves the same in `make test` stays there."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

from tests.schedule import LONGEST_FIRST, Moved, moved
from tests.test_docs import ROOT

COLLECT = (sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider")


@functools.cache
def collected() -> frozenset[str]:
    """Ids of all tests of the files that are named in `nightly.yml`, with and without their parameters."""
    named = {name.partition("::")[0] for each in moved() for name in (*each.nightly, *each.proven_by)}
    without_worker = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*COLLECT, *sorted(named)], cwd=ROOT, env=without_worker, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    ids = {line for line in done.stdout.splitlines() if "::" in line}
    return frozenset(ids | {name.partition("[")[0] for name in ids})


@pytest.mark.parametrize("each", moved(), ids=lambda each: each.keeps)
def test_what_runs_at_night_exists_and_is_proven_by_day(each: Moved) -> None:
    nightly = {name for other in moved() for name in other.nightly}
    assert each.nightly
    assert each.proven_by
    assert [name for name in (*each.nightly, *each.proven_by) if name not in collected()] == []
    without_parameters = {name.partition("[")[0] for name in nightly}
    assert [name for name in each.proven_by if name in nightly | without_parameters] == []


def test_no_scenario_is_moved_twice() -> None:
    names = [name for each in moved() for name in each.nightly]
    assert sorted(names) == sorted(set(names))


def test_what_is_begun_first_exists() -> None:
    files = [name for name in LONGEST_FIRST if not name.startswith("faults ")]
    assert [name for name in files if not (ROOT / name).is_file()] == []
