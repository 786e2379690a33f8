"""Variables in values: the markers of ERB, and ``${NAME}`` with a way to write it literally."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kamal_pyinfra.config.erb import MARKER, Lookup

REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


def fill(
    text: str, lookups: Sequence[Lookup], environ: Mapping[str, str], *, references: bool
) -> tuple[str, list[str]]:
    """The text with values for its markers and references, and the names of variables that are not set.

    What a variable holds is never looked at again. ``$${NAME}`` gives ``${NAME}``; any other form, such as
    ``${NAME:-x}``, is left alone.

    Args:
        text: the text of a YAML scalar.
        lookups: what the markers stand for.
        environ: names and values.
        references: whether ``${NAME}`` is replaced too.
    """
    unset: list[str] = []

    def value_of(lookup: Lookup) -> str:
        found = environ.get(lookup.name, lookup.default)
        if found is None:
            unset.append(lookup.name)
        return found or ""

    def reference(match: re.Match[str]) -> str:
        return match[0][1:] if match[0].startswith("$$") else value_of(Lookup(match[1], None))

    parts = MARKER.split(text)
    for index, part in enumerate(parts):
        if index % 2 == 1:
            parts[index] = value_of(lookups[int(part)]) if int(part) < len(lookups) else ""
        elif references:
            parts[index] = REFERENCE.sub(reference, part)
    return "".join(parts), unset


def keeps_references(path: tuple[str, ...]) -> bool:
    """Whether a value belongs to an ``env`` section, whose references are for the shell of the host."""
    depth = {"env": 0, "traefik": 1, "servers": 2, "accessories": 2}.get(path[0] if path else "")
    return depth is not None and len(path) > depth and path[depth] == "env"
