"""``${NAME}`` and tags of ERB in a text, replaced by their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kamal_pyinfra.config.document.erb import (
    LITERAL,
    MARKER,
    Asked,
    FileText,
    GitAnswer,
    Lookup,
    Refused,
    Tag,
    Unanswered,
    Value,
    Values,
    is_harmless,
    line_and_column,
    statement_complaint,
    value_of,
)
from kamal_pyinfra.config.document.tree import Position, Problem
from kamal_pyinfra.errors import ConfigError

REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


@dataclass
class Filling:
    """A text in which markers and references are being replaced.

    Args:
        parts: the result, alternately written text and values of markers.
        unset: why references have no value.
        refused: numbers of its tags that are not understood.
    """

    tags: Sequence[Tag]
    values: Values
    parts: tuple[str, ...] = ()
    unset: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The result."""
        return "".join(self.parts)

    def value_of(self, tag: Value) -> str:
        """The value of a tag; without the line break at the end of a file or of git's output, as YAML would."""
        try:
            found = self.values.of(tag)
        except Unanswered as error:
            self.unset.append(str(error))
            return ""
        return found.rstrip("\r\n") if isinstance(tag, FileText | GitAnswer) else found

    def marked(self, number: int) -> str:
        """The value of a marker."""
        tag = self.tags[number] if number < len(self.tags) else None
        if isinstance(tag, Refused):
            self.refused.append(number)
        return "" if tag is None or isinstance(tag, Refused) else self.value_of(tag)

    def reference(self, match: re.Match[str]) -> str:
        """The value of ``${NAME}``."""
        return match[0][1:] if match[0].startswith("$$") else self.value_of(Lookup(match[1], None))


def fill(text: str, tags: Sequence[Tag], values: Values, *, references: bool) -> Filling:
    """The text of a YAML scalar with its markers and, if ``references``, each ``${NAME}`` replaced.

    Values are not replaced again. ``$${NAME}`` gives ``${NAME}``; other forms such as ``${NAME:-x}`` stay.
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
    """Whether a value belongs to an ``env`` section, whose references the host's shell expands."""
    depth = {"env": 0, "traefik": 1, "servers": 2, "accessories": 2}.get(path[0] if path else "")
    return depth is not None and len(path) > depth and path[depth] == "env"


TEXT_TAG = re.compile(
    r"(?P<literal><%%)|(?P<indent>^[ \t]*)?(?P<tag><%(?P<code>.*?)(?P<end>(?<!%)%>|\Z))(?P<line_end>\n?)",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Renderer:
    """Replace the tags of one template; arguments are those of :func:`render_erb`."""

    source: str
    path: Path
    values: Values
    command: str
    has_comments: bool
    problems: list[Problem] = field(default_factory=list)

    def replacement(self, found: re.Match[str]) -> str:
        """The text that replaces a tag."""
        if found["literal"]:
            return "<%"
        code = found["code"]
        indent = "" if code.startswith("-") else found["indent"] or ""
        end = "" if code.endswith("-") else found["line_end"]
        if code.startswith("#"):
            return indent + end
        if self.has_comments and self.is_comment(found):
            return found[0]
        if code.startswith("="):
            return indent + self.value(found) + end
        if not is_harmless(found):
            self.complain(found, statement_complaint(code))
        return indent + end

    def value(self, found: re.Match[str]) -> str:
        """The value of a tag with ``=``; empty, with a problem, if it is unknown."""
        value = value_of(found, Asked.at(self.source, found.start("tag"), self.command))
        try:
            if not isinstance(value, str):
                return self.values.of(value)
            self.complain(found, value)
        except Unanswered as error:
            self.complain(found, unset(value.name) if isinstance(value, Lookup) else str(error))
        return ""

    def is_comment(self, found: re.Match[str]) -> bool:
        """Whether a tag is on a line that is a comment."""
        start = self.source.rfind("\n", 0, found.start("tag")) + 1
        return self.source[start : found.start("tag")].lstrip().startswith("#")

    def complain(self, found: re.Match[str], message: str) -> None:
        """Record a problem of a tag."""
        place = Position(str(self.path), *line_and_column(self.source, found.start("tag")))
        self.problems.append(Problem(place, "", message))


def unset(name: str) -> str:
    """Message for a variable without value; an old ``.env`` does not count."""
    return f'{name} is not set; export it, or write <%= ENV.fetch("{name}", "") %> if it may be empty'


def render_erb(
    source: str, path: Path, values: Values, *, command: str = "kp envify", has_comments: bool = True
) -> str:
    """The text with every tag replaced; a ConfigError has a line for each tag without a value.

    ``command`` is the command of kp that needs the text; ``has_comments`` leaves tags on lines with ``#`` alone.
    """
    renderer = Renderer(source, path, values, command, has_comments)
    text = TEXT_TAG.sub(renderer.replacement, source)
    if renderer.problems:
        raise ConfigError(*map(str, renderer.problems))
    return text
