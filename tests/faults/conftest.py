"""The fleet that the cases of one share have after each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.stage import Stage
from tests.lab.lab import Lab


class Fleet:
    """A serving fleet; a new one after a case that was not healed, which may have left anything behind."""

    def __init__(self, make: Callable[[], Stage]) -> None:
        self.make = make
        self.number = 0
        self.stage: Stage | None = None

    def get(self, number: int) -> Stage:
        """The fleet for the next case of a share; another file may have used the lab between two shares."""
        if number != self.number:
            self.number, self.stage = number, None
        stage, self.stage = self.stage or self.make(), None
        return stage

    def give_back(self, stage: Stage) -> None:
        """Let the next case have a fleet that was healed."""
        self.stage = stage


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(lambda: Stage.create(Lab.load(), tmp_path_factory.mktemp("faults")))
