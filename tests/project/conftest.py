"""Fixtures of the configuration that the tests of the project's folder use too."""

from __future__ import annotations

from tests.config.conftest import load, project

__all__ = ["load", "project"]
