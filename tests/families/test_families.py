"""The table of families is whole and true: no row without a test, every test in it exists, the page shows it."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import families
import pytest

from tests.test_docs import ROOT

FOUND = families.families()
WHOLE = """\
family: A name
belief: That it is so.
rows:
  - id: a-slug
    tried: One | two
    outcome: refused, with <the> line
    tests: [tests/test_docs.py::test_one, tests/test_docs.py::test_two]
"""


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file as pytest names them, without running anything."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def test_every_test_of_a_row_exists() -> None:
    named = [test for family in FOUND for row in family.rows for test in row.tests]
    assert [test for test in named if test.partition("::")[2] not in names_in(test.partition("::")[0])] == []


def test_no_row_has_the_slug_of_another() -> None:
    slugs = [row.id for family in FOUND for row in family.rows]
    assert sorted(slugs) == sorted(set(slugs))


def test_no_family_is_there_twice() -> None:
    names = [family.family for family in FOUND]
    assert sorted(names) == sorted(set(names))


def test_the_page_shows_the_families() -> None:
    assert families.main(["--check"]) == 0


def test_a_family_is_shown_as_a_section_with_a_table() -> None:
    assert families.table([families.parse_family(WHOLE)]) == (
        "1 kinds, 1 rows, 2 tests.\n"
        "\n"
        "## A name\n"
        "\n"
        "*That it is so.*\n"
        "\n"
        "| what was tried | outcome |\n"
        "|---|---|\n"
        "| One \\| two | refused, with &lt;the> line"
        " ([test 1](../../tests/test_docs.py), [test 2](../../tests/test_docs.py)) |"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("belief: That it is so.\n", ""),
        ("belief: That it is so.", "belief: That it is so"),
        ("family: A name", "family: A name\nfamly: typo"),
        ("    tried:", "    tired: x\n    tried:"),
        ("a-slug", "A slug"),
        ("[tests/test_docs.py::test_one, tests/test_docs.py::test_two]", "[]"),
        ("[tests/test_docs.py::test_one, tests/test_docs.py::test_two]", "tests/test_docs.py::test_one"),
        ("refused, with <the> line", "3"),
        ("refused, with <the> line", '""'),
    ],
)
def test_a_file_that_is_no_family_is_refused_by_its_name(old: str, new: str, tmp_path: Path) -> None:
    assert old in WHOLE
    (tmp_path / "wrong.yml").write_text(WHOLE.replace(old, new))
    with pytest.raises(ValueError, match=r"^wrong\.yml: "):
        families.families(tmp_path)
