"""Text that came from elsewhere, made safe to print."""

from __future__ import annotations

import re

ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
DECEIVING = re.compile(r"[\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
UNSAFE_IN_JSON = re.compile(rf"(?!\n){CONTROL.pattern}|{DECEIVING.pattern}")


def one_line(text: str) -> str:
    """The text safe to print within a line; line breaks are spelled."""
    return sanitized(text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t"))


def sanitized(text: str) -> str:
    """The text without anything that a terminal would obey, or that would show it in another order than it has."""
    text = CONTROL.sub("", ANSI.sub("", STRING.sub("", text)))
    return LONE_SURROGATE.sub("\ufffd", DECEIVING.sub("", text))


def sanitized_json(text: str) -> str:
    """The same JSON with everything spelled that a terminal would obey."""
    return UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
