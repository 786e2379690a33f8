"""In which order the lab's tests run, which of them share a worker, and which leave `make test` to `make nightly`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent
LONGEST_FIRST = (
    "tests/newcomer/test_quickstart.py",
    "tests/e2e/test_frameworks.py",
    "faults 1",
    "faults 2",
    "faults 3",
    "faults 4",
    "tests/e2e/test_app_commands.py",
    "tests/e2e/test_host_commands.py",
    "tests/e2e/test_users.py",
    "tests/e2e/test_changed_router.py",
    "tests/e2e/test_lock.py",
    "tests/e2e/test_proxy_does_not_route.py",
    "tests/e2e/test_no_registry.py",
    "tests/e2e/test_hooks.py",
    "tests/e2e/test_killed.py",
    "tests/e2e/test_pyinfra_door.py",
    "tests/e2e/test_login_shells.py",
    "tests/e2e/test_watch.py",
    "tests/e2e/test_zero_downtime.py",
    "tests/e2e/test_fresh_host.py",
)
"""Groups that take longest, first: what is long must not begin when the other workers have nothing left to do."""


@dataclass(frozen=True)
class Moved:
    """Scenarios that run in `make nightly` alone, and what proves the same in `make test`.

    Args:
        keeps: the property, in a sentence.
        nightly: ids of tests, with their parameters.
        proven_by: ids of tests that `make test` runs, with or without parameters.
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
    """Mark what runs at night alone, keep a file's scenarios on one lab, and put the longest groups first."""
    nightly = {name for each in moved() for name in each.nightly}
    for item in items:
        if item.nodeid in nightly:
            item.add_marker(pytest.mark.nightly)
        if item.get_closest_marker("lab") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(file_of(item)))
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(group_of(item), len(place)))


def file_of(item: pytest.Item) -> str:
    """The file of a test, from the checkout's root on."""
    return item.path.relative_to(ROOT).as_posix()


def group_of(item: pytest.Item) -> str:
    """What the tests that share a worker, and therefore a lab, have in common."""
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else file_of(item)
