"""The shell functions of ``sh/``: a script brings along those that it calls, with those that they call.

Each file there holds functions and nothing else. What is different from run to run comes to them as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

DEFINITION = re.compile(r"^([a-z_0-9]+)\(\) (?:[{(]\n(?:.*\n)*?[})]|[{(] .*)\n", re.MULTILINE)
COMMENT_OR_INDENTATION = re.compile(r"^(?:[ \t]*#.*\n|[ \t]+)", re.MULTILINE)
NAME = re.compile(r"(?<![\w${-])[a-z_]\w*(?![\w=-])")


def functions(*names: str) -> str:
    """Definitions of these functions and of all that they call, each once, without comments and indentation."""
    library, needed, found = _library(), list(names), dict[str, str]()
    while needed:
        name = needed.pop()
        if name not in found:
            found[name], calls = library[name]
            needed += calls
    return "".join(found[name] for name in sorted(found))


def group(call: str) -> str:
    """A call, with the functions that it needs, as one command that may stand anywhere in a script."""
    return f"{{ {functions(*_calls(call, _library()))}{call}; }}"


@cache
def _library() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each function's text, and the names of those that it calls."""
    texts = {
        match[1]: COMMENT_OR_INDENTATION.sub("", match[0])
        for path in files("kamal_pyinfra.shell").joinpath("sh").iterdir()
        for match in DEFINITION.finditer(path.read_text("utf-8"))
    }
    return {name: (text, tuple(_calls(text, texts) - {name})) for name, text in texts.items()}


def _calls(text: str, known: Iterable[str]) -> set[str]:
    return {*NAME.findall(text)} & {*known}
