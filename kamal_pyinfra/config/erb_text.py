"""An ERB template as text, with Ruby's trim mode ``-``: the forms that need no Ruby."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from kamal_pyinfra.config.erb import Asked, Lookup, is_harmless, line_and_column, statement_complaint, value_of
from kamal_pyinfra.config.erb_values import Unanswered, Values
from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Position
from kamal_pyinfra.errors import ConfigError

TAG = re.compile(
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
    text = TAG.sub(renderer.replacement, source)
    if renderer.problems:
        raise ConfigError(*map(str, renderer.problems))
    return text
