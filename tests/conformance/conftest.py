from __future__ import annotations

from tests.config.conftest import load, problems, project

__all__ = ["load", "problems", "project"]
