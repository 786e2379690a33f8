"""Fixtures of neighbouring rooms that the tests of local programs use too."""

from __future__ import annotations

from tests.operations.conftest import machine, run
from tests.shell.conftest import host

__all__ = ["host", "machine", "run"]
