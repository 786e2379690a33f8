"""The two forms of ERB that only read the environment, without Ruby.

Before YAML is parsed each tag becomes a marker of the same width: positions stay true, and what a variable
holds can never be read as YAML. After parsing, ``variables.fill`` puts values where the markers are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAG = re.compile(r"<%.*?(?:%>|\Z)", re.DOTALL)
LOOKUP = re.compile(
    r"""<%=\s*ENV(?:
        \[\s*(?P<q1>["'])(?P<name1>\w+)(?P=q1)\s*\]
        |\.fetch\(\s*(?P<q2>["'])(?P<name2>\w+)(?P=q2)\s*(?:,\s*(?P<q3>["'])(?P<default>[^"'\\\n]*)(?P=q3)\s*)?\)
    )\s*-?%>""",
    re.VERBOSE | re.ASCII,
)
MARKER = re.compile("\ue000([0-9]+)\ue001*\ue002")
WAY_OUT = (
    'Ruby is not run here; only <%= ENV["NAME"] %> and <%= ENV.fetch("NAME", "default") %> are replaced. '
    "Compute the value before kp starts and pass it in as a variable"
)


@dataclass(frozen=True)
class Lookup:
    """A variable that a file asks for; ``default`` is ``None`` when there is none."""

    name: str
    default: str | None


@dataclass(frozen=True)
class Template:
    """A text whose tags became markers, and what the markers stand for.

    Args:
        problems: line, column and message of every tag that is not understood.
    """

    text: str
    lookups: tuple[Lookup, ...]
    problems: tuple[tuple[int, int, str], ...]


def read_template(source: str) -> Template:
    """Replace every tag by a marker; a tag in a YAML comment is left alone."""
    lookups: list[Lookup] = []
    problems: list[tuple[int, int, str]] = []

    def marker(tag: re.Match[str]) -> str:
        if is_comment(source, tag):
            return re.sub(r"[^\n]", " ", tag[0])
        lookup = LOOKUP.fullmatch(tag[0])
        if lookup is None or "\n" in tag[0]:
            problems.append((*line_and_column(source, tag.start()), f"this ERB is not understood: {WAY_OUT}"))
            return re.sub(r"[^\n]", "x", tag[0])
        lookups.append(Lookup(lookup["name1"] or lookup["name2"], lookup["default"]))
        number = f"\ue000{len(lookups) - 1}"
        return number.ljust(len(tag[0]) - 1, "\ue001") + "\ue002"

    return Template(TAG.sub(marker, source), tuple(lookups), tuple(problems))


def is_comment(source: str, tag: re.Match[str]) -> bool:
    """Whether a tag is an ERB comment or stands on a line that is a YAML comment."""
    line_start = source.rfind("\n", 0, tag.start()) + 1
    return tag[0].startswith("<%#") or source[line_start : tag.start()].lstrip().startswith("#")


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """The position of an offset, counted from 1."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
