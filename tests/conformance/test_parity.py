"""The table of parity is whole and true: no row is empty, every test in it exists, nothing of ours is left out."""

from __future__ import annotations

import ast
import functools

import click
import pytest

from tests.config.test_reference import REFERENCE
from tests.test_docs import COMMANDS, ROOT, script

PARITY = script("scripts/kamal_parity.py")
ROWS = [(section, row) for section in PARITY.SECTIONS for row in PARITY.rows(section)]
DEFECTS = 18


@functools.cache
def names_in(path: str) -> set[str]:
    """The names of the tests in a file."""
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("section", "row"), ROWS, ids=lambda value: getattr(value, "what", value))
def test_a_row_is_whole_and_names_tests_that_exist(section: str, row) -> None:
    verdict, _, why = row.kp.partition(": ")
    assert row.what
    assert row.kamal
    assert verdict in PARITY.VERDICTS
    assert why.endswith(".") if verdict != "same" else not why
    assert row.tests
    for test in row.tests:
        path, _, name = test.partition("::")
        assert name.startswith("test_"), test
        assert name in names_in(path), test


def test_no_row_is_there_twice() -> None:
    subjects = [(section, row.what) for section, row in ROWS]
    assert sorted(subjects) == sorted(set(subjects))


def test_every_command_has_a_row_for_its_effect_and_one_for_its_failure() -> None:
    there = {row.what for row in PARITY.rows("commands")}
    leaves = [path for path, command in COMMANDS.items() if not isinstance(command, click.Group)]
    assert [path for path in leaves if not {path, f"{path}, failing"} <= there] == []
    named = {what.removesuffix(", failing") for what in there if what.startswith("kp ")}
    assert {name for name in named if name not in leaves} == {"kp app exec -i", "kp init --bundle"}


def test_every_key_of_the_configuration_has_a_row() -> None:
    there = {row.what for row in PARITY.rows("config")}
    for model, (place, *_) in REFERENCE.sections().items():
        for name in model.model_fields:
            path = ".".join(filter(None, [place, name]))
            assert path in there, path


def test_every_defect_of_kamals_has_a_row() -> None:
    there = [row.what for row in PARITY.rows("defects")]
    assert there[:DEFECTS] == [str(number) for number in range(1, DEFECTS + 1)]
    assert {row.verdict for row in PARITY.rows("defects")} == {"better"}
