"""Variables in values: the markers of ERB, and ``${NAME}`` with a way to write it literally."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kamal_pyinfra.config.erb import LITERAL, MARKER, FileText, GitAnswer, Lookup, Refused, Tag, Value
from kamal_pyinfra.config.erb_values import Unanswered, Values

REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


@dataclass
class Filling:
    """A text whose markers and references are being replaced.

    Args:
        parts: the text as it came out, in pieces; every second one stands for a marker.
        unset: why parts have no value.
        refused: numbers of the tags in it that are not understood.
    """

    tags: Sequence[Tag]
    values: Values
    parts: tuple[str, ...] = ()
    unset: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text as it came out."""
        return "".join(self.parts)

    def value_of(self, tag: Value) -> str:
        """The value of a tag; a line break at the end of a file or of an answer is left out, as YAML would."""
        try:
            found = self.values.of(tag)
        except Unanswered as error:
            self.unset.append(str(error))
            return ""
        return found.rstrip("\r\n") if isinstance(tag, FileText | GitAnswer) else found

    def marked(self, number: int) -> str:
        """What stands for a marker."""
        tag = self.tags[number] if number < len(self.tags) else None
        if isinstance(tag, Refused):
            self.refused.append(number)
        return "" if tag is None or isinstance(tag, Refused) else self.value_of(tag)

    def reference(self, match: re.Match[str]) -> str:
        """What stands for ``${NAME}``."""
        return match[0][1:] if match[0].startswith("$$") else self.value_of(Lookup(match[1], None))


def fill(text: str, tags: Sequence[Tag], values: Values, *, references: bool) -> Filling:
    """The text with values for its markers and references.

    What a variable or a file holds is never looked at again. ``$${NAME}`` gives ``${NAME}``; any other form, such as
    ``${NAME:-x}``, is left alone.

    Args:
        text: the text of a YAML scalar.
        tags: what the markers stand for.
        values: what tags and references are replaced from.
        references: whether ``${NAME}`` is replaced too.
    """
    filling = Filling(tags, values)
    parts = MARKER.split(text)
    for index, part in enumerate(parts):
        written = part.replace(LITERAL, "<%")
        if index % 2:
            parts[index] = filling.marked(int(part))
        else:
            parts[index] = REFERENCE.sub(filling.reference, written) if references else written
    filling.parts = tuple(parts)
    return filling


def keeps_references(path: tuple[str, ...]) -> bool:
    """Whether a value belongs to an ``env`` section, whose references are for the shell of the host."""
    depth = {"env": 0, "traefik": 1, "servers": 2, "accessories": 2}.get(path[0] if path else "")
    return depth is not None and len(path) > depth and path[depth] == "env"
