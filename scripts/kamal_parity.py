"""Write docs/reference/parity/ from tests/conformance/parity/*.yml, in which each behaviour names its tests.

``--check`` writes nothing and exits 1 when a page is not what it would be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from generated import write_or_check

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs/reference/parity"
ROWS = ROOT / "tests/conformance/parity"
SECTIONS = {
    "commands": ("Commands and flags", "Every command has a row for what it does and one for how it fails."),
    "config": ("Configuration", "Every key of `config/deploy.yml`, and what holds for all of them."),
    "runs": ("What runs on hosts", "Names, commands, order and outcomes."),
    "hooks": ("Hooks", "When they run, and with which variables."),
    "versions": ("Versions and images", "What a version is, and which tags it has."),
    "pinned": ("What Kamal's own tests pin", "By the file of its test suite."),
    "defects": ("Kamal's own defects", "Each with the test in which kp does not have it."),
}
VERDICTS = ("same", "better", "different")
MARK = "<!-- Written by scripts/kamal_parity.py from tests/conformance/parity/; do not edit. -->"
HEAD = f"""\
# Parity with Kamal 1.9

{MARK}

What Kamal 1.9 does, whether `kp` does the same, something better or deliberately something different, and the tests
that prove it. [From Kamal, and back](../../start/from-kamal.md) has the way to switch.
"""


class Row(NamedTuple):
    """One behaviour.

    Args:
        what: the command, the key or the subject.
        kamal: what Kamal 1.9 does; a dash where it has no such thing.
        kp: the verdict, and unless it is ``same`` a sentence after a colon.
        tests: ids of the tests that prove it, as pytest takes them.
    """

    what: str
    kamal: str
    kp: str
    tests: list[str]

    @property
    def verdict(self) -> str:
        """One of the verdicts."""
        return self.kp.partition(":")[0]


def rows(section: str) -> list[Row]:
    """The rows of a section."""
    return [Row(**row) for row in yaml.safe_load((ROWS / f"{section}.yml").read_text())]


def pages() -> dict[Path, str]:
    """The text of each page: the summary, and one for each section."""
    found = {PAGES / "index.md": "\n".join((HEAD, *summary())) + "\n"}
    for section, (title, about) in SECTIONS.items():
        lines = (f"# {title}", "", MARK, "", f"{about} All of [parity](index.md).", "", *table(rows(section)))
        found[PAGES / f"{section}.md"] = "\n".join(lines) + "\n"
    return found


def summary() -> Iterator[str]:
    """How many rows of each section have which verdict."""
    yield from (f"| | rows | {' | '.join(VERDICTS)} |", f"|---|---|{'---|' * len(VERDICTS)}")
    for section, (title, _) in SECTIONS.items():
        found = [row.verdict for row in rows(section)]
        counts = " | ".join(str(found.count(verdict)) for verdict in VERDICTS)
        yield f"| [{title}]({section}.md) | {len(found)} | {counts} |"


def table(shown: list[Row]) -> Iterator[str]:
    """Rows as a table."""
    yield from ("| what | Kamal 1.9 | kp | tests |", "|---|---|---|---|")
    for row in shown:
        subject = f"`{row.what}`" if row.what.startswith(("kp ", "--")) else row.what
        cells = (subject, row.kamal, f"**{row.verdict}**{row.kp.removeprefix(row.verdict)}", tests(row))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def tests(row: Row) -> str:
    """The names of a row's tests, short, with a link to the file of each."""
    shown = []
    for test in row.tests:
        path, _, name = test.partition("::")
        shown.append(f"[{name.removeprefix('test_').replace('_', ' ')}](../../../{path})")
    return "; ".join(shown)


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check(pages(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
