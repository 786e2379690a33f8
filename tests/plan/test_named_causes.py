"""A cause that a page of the documentation names is one that a plan can have."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kamal_pyinfra.plan.compare.container import OTHER_OPTIONS
from kamal_pyinfra.plan.compare.fields import Difference

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(?:the cause is|the cause names it:|the plan says|with cause)\s+`([^`]+)`")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def texts() -> set[str]:
    """Every text of `plan/` that stands by itself."""
    nodes = (
        node for path in (ROOT / "kamal_pyinfra/plan").rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
    )
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


KNOWN = texts() | {OTHER_OPTIONS.text, Difference(field="secret TOP_SECRET", after="changed").text}
CASES = [
    pytest.param(cause, id=f"{page.name}: {cause}")
    for page in PAGES
    for cause in NAMED.findall(" ".join(page.read_text().split()))
]


@pytest.mark.parametrize("cause", CASES)
def test_a_cause_that_is_named_on_a_page_is_one_of_the_plans(cause: str) -> None:
    assert cause in KNOWN


def test_the_pages_name_causes() -> None:
    assert {str(case.values[0]) for case in CASES} >= {"options changed", "secret TOP_SECRET changed"}
