from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.fake_host import FakeHost
from tests.shell.traefik_log import v2, v2_built, v3, v3_built


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host with a strict ``docker``."""
    return FakeHost(tmp_path / "host")


@pytest.fixture(params=[(v2, v2_built), (v3, v3_built)], ids=["v2.11", "v3"])
def traefik(request: pytest.FixtureRequest):
    """Log lines of one generation: a configuration that arrived, and one that was built."""
    return request.param
