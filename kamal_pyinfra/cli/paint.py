"""Colour for a plan on a terminal; none elsewhere, and none with ``NO_COLOR`` (https://no-color.org)."""

from __future__ import annotations

import os
import re

import click

COLORS = {"+": "green", "~": "yellow", "±": "cyan", "-": "red"}
CHANGE = re.compile(r"  ([+~±-]) ")


def paint(text: str) -> None:
    """Print the text of a plan, with its symbols in colour where somebody sees them."""
    may_color = None if not os.environ.get("NO_COLOR") else False
    click.echo("\n".join(_painted(line) for line in text.split("\n")), nl=False, color=may_color)


def _painted(line: str) -> str:
    found = CHANGE.match(line)
    if found:
        return f"  {click.style(found[1], fg=COLORS[found[1]], bold=True)}{line[3:]}"
    return click.style(line, bold=True) if line.startswith("Plan") else line
