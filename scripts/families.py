"""Write the table of docs/trust/families.md from tests/families/*.yml, in which each row names its tests.

``--check`` writes nothing and exits 1 when the page is not what it would be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from generated import write_or_check
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/trust/families.md"
FAMILIES = ROOT / "tests/families"
BEGIN, END = "<!-- families: begin, written by scripts/families.py -->", "<!-- families: end -->"
TEXT = r"^\S(.*\S)?$"


class Strict(BaseModel):
    """Takes what is declared, as it is declared, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Row(Strict):
    """One thing that was tried.

    Args:
        id: a slug, unique in all families.
        tried: the input, or the condition of a host.
        outcome: what comes of it.
        tests: ids of the tests that prove it, as pytest takes them, without parameters.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    tried: str = Field(pattern=TEXT)
    outcome: str = Field(pattern=TEXT)
    tests: list[str] = Field(min_length=1)


class Family(Strict):
    """Faults of one kind.

    Args:
        family: the name of the kind.
        belief: what was believed without proof, in a sentence.
        rows: what was tried.
    """

    family: str = Field(pattern=TEXT)
    belief: str = Field(pattern=r"^\S.*\.$")
    rows: list[Row] = Field(min_length=1)


def parse_family(text: str) -> Family:
    """The family of a file.

    Raises:
        ValueError: a key is missing, is unknown or has a value of another type.
    """
    return TypeAdapter(Family).validate_python(yaml.safe_load(text))


def families(folder: Path = FAMILIES) -> list[Family]:
    """All families, in the order of their names.

    Raises:
        ValueError: a file is not a family; the file is named.
    """
    found = []
    for path in sorted(folder.glob("*.yml")):
        try:
            found.append(parse_family(path.read_text()))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return sorted(found, key=lambda each: each.family)


def table(shown: list[Family]) -> str:
    """The families as Markdown: a section for each, with the belief above a table of its rows."""
    return "\n".join(_lines(shown))


def _lines(shown: list[Family]) -> Iterator[str]:
    rows = sum(len(each.rows) for each in shown)
    tests = len({test for each in shown for row in each.rows for test in row.tests})
    yield f"{len(shown)} kinds, {rows} rows, {tests} tests."
    for each in shown:
        yield from ("", f"## {_cell(each.family)}", "", f"*{_cell(each.belief)}*", "")
        yield from ("| what was tried | outcome |", "|---|---|")
        yield from (f"| {_cell(row.tried)} | {_cell(row.outcome)} ({_links(row)}) |" for row in each.rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _links(row: Row) -> str:
    numbers = range(1, len(row.tests) + 1)
    names = ["test"] if len(row.tests) == 1 else [f"test {number}" for number in numbers]
    files = (test.partition("::")[0] for test in row.tests)
    return ", ".join(f"[{name}](../../{path})" for name, path in zip(names, files, strict=True))


def page(text: str, shown: list[Family]) -> str:
    """The page with the table between its marks."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{table(shown)}\n\n{END}{rest.split(END)[1]}"


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check({PAGE: page(PAGE.read_text(), families())}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
