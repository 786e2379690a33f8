"""One lab for all scenarios; hosts are emptied between files, their images stay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOSTS = ("web1", "web2", "job1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab.load()


@pytest.fixture(scope="module")
def empty_hosts(lab: Lab) -> Lab:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: lab.reset(host, images=False), HOSTS))
    return lab


@pytest.fixture
def project(empty_hosts: Lab, tmp_path: Path) -> Project:
    """The standard project on hosts that only this file's tests have used."""
    return Project.create(empty_hosts, tmp_path)
