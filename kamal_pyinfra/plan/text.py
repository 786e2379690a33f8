"""Text that came from elsewhere, made safe to print."""

from __future__ import annotations

import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """The text safe to print within a line; line breaks are spelled."""
    return sanitized(text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t"))


def sanitized(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return CONTROL.sub("", ANSI.sub("", text))
