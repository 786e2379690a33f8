"""A plan on a terminal: coloured, unless ``NO_COLOR`` is set (https://no-color.org), and as wide as that is."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator

import click

from kamal_pyinfra.cli.say import printable

COLORS = {"+": "green", "~": "yellow", "±": "cyan", "-": "red"}
CHANGE = re.compile(r"  ([+~±-]) ")
WITH_CAUSE = re.compile(r"(  [+~±-] \S+ +\S.*?) {2,}(\S.*)")
SUBJECT_COLUMN = 14
"""Where the name of what changes begins, and its cause where both do not fit into a line."""


def paint(text: str) -> None:
    """Print the text of a plan; where somebody sees it with its symbols in colour, and no word cut at the edge."""
    may_color = None if not os.environ.get("NO_COLOR") else False
    lines = printable(text).split("\n")
    if sys.stdout.isatty():
        lines = [part for line in lines for part in folded(line, shutil.get_terminal_size().columns)]
    click.echo("\n".join(_painted(line) for line in lines), nl=False, color=may_color)


def folded(line: str, width: int) -> Iterator[str]:
    """A line of a plan as lines that fit: the cause of a change goes below what changes, at its column."""
    if len(line) <= width:
        yield line
        return
    change = WITH_CAUSE.fullmatch(line)
    if change:
        yield change[1]
    indent = " " * SUBJECT_COLUMN if change else "    "
    yield from textwrap.wrap(
        change[2] if change else line,
        max(width, 2 * SUBJECT_COLUMN),
        initial_indent=indent if change else "",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(line: str) -> str:
    found = CHANGE.match(line)
    if found:
        return f"  {click.style(found[1], fg=COLORS[found[1]], bold=True)}{line[3:]}"
    return click.style(line, bold=True) if line.startswith("Plan") else line
