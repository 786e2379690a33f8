"""``${NAME}`` and tags of ERB in a text: the text with their values in place."""

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


TEXT_TAG = re.compile(
    r"(?P<literal><%%)|(?P<indent>^[ \t]*)?(?P<tag><%(?P<code>.*?)(?P<end>(?<!%)%>|\Z))(?P<line_end>\n?)",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Renderer:
    """Replaces the tags of one template.

    Args:
        command: of kp, that the text is wanted for.
        has_comments: whether a line that begins with ``#`` is a comment, whose tags are left alone.
    """

    source: str
    path: Path
    values: Values
    command: str
    has_comments: bool
    problems: list[Problem] = field(default_factory=list)

    def replacement(self, found: re.Match[str]) -> str:
        """What a tag becomes."""
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
        """What a tag with ``=`` stands for; nothing, with a problem, if it is not known."""
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
        """Note a problem of a tag."""
        place = Position(str(self.path), *line_and_column(self.source, found.start("tag")))
        self.problems.append(Problem(place, "", message))


def unset(name: str) -> str:
    """That a variable has no value, and the way out; an old ``.env`` does not count."""
    return f'{name} is not set; export it, or write <%= ENV.fetch("{name}", "") %> if it may be empty'


def render_erb(
    source: str, path: Path, values: Values, *, command: str = "kp envify", has_comments: bool = True
) -> str:
    """The text with every tag replaced.

    Args:
        source: the template.
        path: where it was read, for messages.
        values: what tags stand for.
        command: of kp, that the text is wanted for.
        has_comments: whether a line that begins with ``#`` is a comment, whose tags are left alone.

    Raises:
        ConfigError: with a line for each tag that is not understood, or has no value.
    """
    renderer = Renderer(source, path, values, command, has_comments)
    text = TEXT_TAG.sub(renderer.replacement, source)
    if renderer.problems:
        raise ConfigError(*map(str, renderer.problems))
    return text
