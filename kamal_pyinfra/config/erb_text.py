"""An ERB template as text: the forms that only read the environment, with Ruby's trim mode ``-``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from kamal_pyinfra.config.erb import LOOKUP, WAY_OUT, is_comment, line_and_column
from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Position
from kamal_pyinfra.errors import ConfigError

TAG = re.compile(r"(?P<literal><%%)|(?P<tag><%.*?(?:%>|\Z))(?P<line_end>\n?)", re.DOTALL)


def render_erb(source: str, path: Path, environ: Mapping[str, str]) -> str:
    """The text with every tag replaced.

    Args:
        source: the template.
        path: where it was read, for messages.
        environ: names and values.

    Raises:
        ConfigError: with a line for each tag that is not understood, or whose variable is not set.
    """
    problems: list[Problem] = []

    def replacement(found: re.Match[str]) -> str:
        if found["literal"]:
            return "<%"
        end = "" if found["tag"].endswith("-%>") else found["line_end"]
        if found["tag"].startswith("<%#"):
            return end
        if is_comment(source, found):
            return found[0]
        value = value_of(found["tag"], environ)
        if value is None:
            position = Position(str(path), *line_and_column(source, found.start()))
            problems.append(Problem(position, "", complaint(found["tag"])))
        return (value or "") + end

    text = TAG.sub(replacement, source)
    if problems:
        raise ConfigError(*map(str, problems))
    return text


def value_of(tag: str, environ: Mapping[str, str]) -> str | None:
    """What a tag stands for; ``None`` if it is not understood or not set."""
    lookup = LOOKUP.fullmatch(tag)
    if lookup is None:
        return None
    return environ.get(lookup["name1"] or lookup["name2"], lookup["default"])


def complaint(tag: str) -> str:
    """Why a tag has no value, and the way out."""
    lookup = LOOKUP.fullmatch(tag)
    if lookup is None:
        return f"this ERB is not understood: {WAY_OUT}"
    name = lookup["name1"] or lookup["name2"]
    return f'{name} is not set; export it, or write <%= ENV.fetch("{name}", "") %> if it may be empty'
