"""In which order the lab's tests run, which of them share a worker, and which leave `make test` to `make nightly`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from xdist.scheduler import LoadFileScheduling

HERE = Path(__file__).parent
FAULTS = "tests/faults/test_faults.py"
LONGEST_FIRST = (
    "tests/newcomer/test_quickstart.py",
    "faults 1",
    "faults 2",
    "faults 3",
    "faults 4",
    "tests/e2e/test_app_commands.py",
    "tests/e2e/test_host_commands.py",
    "tests/e2e/test_proxy_does_not_route.py",
    "tests/e2e/test_no_registry.py",
    "tests/e2e/test_watch.py",
    "tests/e2e/test_changed_router.py",
    "tests/e2e/test_accessories.py",
    "tests/e2e/test_build.py",
    "tests/e2e/test_apply.py",
    "tests/e2e/test_users.py",
    "tests/e2e/test_replicas.py",
    "tests/e2e/test_hooks.py",
    "tests/e2e/test_batches.py",
    "tests/e2e/test_login_shells.py",
    "tests/e2e/test_secrets_stay.py",
    "tests/e2e/test_release.py",
    "tests/e2e/test_zero_downtime.py",
    "tests/e2e/test_frameworks.py",
    "tests/e2e/test_lock.py",
    "tests/e2e/test_drift.py",
    "tests/e2e/test_pyinfra_door.py",
)
"""Groups that take longest, first: what is long must not begin when the other workers have nothing left to do."""


@dataclass(frozen=True)
class Moved:
    """Scenarios that run in `make nightly` alone, and what proves the same in `make test`.

    Args:
        keeps: the property, in a sentence.
        nightly: ids of tests, with their parameters.
        proven_by: ids of tests that `make test` runs; one without its parameters stands for all of its cases.
    """

    keeps: str
    nightly: tuple[str, ...]
    proven_by: tuple[str, ...]


@functools.cache
def moved() -> tuple[Moved, ...]:
    """What `nightly.yml` says."""
    read: list[dict[str, Any]] = yaml.safe_load((HERE / "nightly.yml").read_text())
    return tuple(Moved(each["keeps"], tuple(each["nightly"]), tuple(each["proven_by"])) for each in read)


def arrange(items: list[pytest.Item]) -> None:
    """Mark what runs at night alone, and put the longest groups first."""
    nightly = {name for each in moved() for name in each.nightly}
    for item in items:
        if item.nodeid in nightly:
            item.add_marker(pytest.mark.nightly)
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(group_of(item.nodeid), len(place)))


def group_of(nodeid: str) -> str:
    """The group of a test, whose tests share a worker and therefore a lab: its file, or its share of the faults."""
    file, _, name = nodeid.partition("::")
    return _shares_of_faults().get(name, file) if file == FAULTS else file


@functools.cache
def _shares_of_faults() -> dict[str, str]:
    from tests.faults.test_faults import shares

    name = "test_the_fleet_serves_and_a_rerun_heals"
    return {f"{name}[{fault}: {phase}]": f"faults {number}" for number, fault, phase in shares()}


class ByGroup(LoadFileScheduling):
    """Gives a worker one group after the other, where xdist would give it one file after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
