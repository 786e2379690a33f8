from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.fake_host import FakeHost


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host with a strict ``docker``."""
    return FakeHost(tmp_path / "host")
