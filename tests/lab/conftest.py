from __future__ import annotations

import pytest

from tests.lab.contract import Bench
from tests.lab.lab import Lab


@pytest.fixture(scope="module")
def bench() -> Bench:
    """kamal-proxy, the real one or the stand-in, with three targets on a host that only this file's tests use."""
    bench = Bench(Lab.load())
    bench.set_up()
    return bench
