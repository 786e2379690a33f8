"""Quoting and joining, the shell functions of ``sh/``, and the guard that ends a script with its connection."""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.resources import files

from kamal_pyinfra.config.env import pieces
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.docker_values import as_items

DEFINITION = re.compile(r"^([a-z_0-9]+)\(\) (?:[{(]\n(?:.*\n)*?[})]|[{(] .*)\n", re.MULTILINE)
COMMENT_OR_INDENTATION = re.compile(r"^(?:[ \t]*#.*\n|[ \t]+)", re.MULTILINE)
NAME = re.compile(r"(?<![\w${-])[a-z_]\w*(?![\w=-])")
CALL = re.compile(
    r"(?:^|[\n;&|(!)]|(?<!\$)\{)\s*(?:(?:then|do|else|if|elif|while|until|[!{(])\s+)*([a-z_]\w*)(?![\w=-])"
)
BRIEF_CLIENT = "export GOMAXPROCS=1 GOGC=400\n"
"""Begins scripts that ask Docker often. Its client lives for a fiftieth of a second, of which Go's threads and its
search for garbage would take a tenth (https://pkg.go.dev/runtime, Environment Variables). Containers do not see this.
"""
VARIABLE = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})")
LONGEST_SHOWN = 60
UNUSABLE = re.compile("[\0\ud800-\udfff]")
WAITING = "kp-waiting "  # begins a line about what a host waits for
KILL_SECONDS = 5  # after TERM, before KILL
KEY_MARK = ": kp-limit "


@cache
def _library() -> dict[str, tuple[str, frozenset[str]]]:
    """Each function of ``sh/``, without comments and indentation, and the names of those that it may call."""
    texts = {
        match[1]: COMMENT_OR_INDENTATION.sub("", match[0])
        for path in files("kamal_pyinfra.shell").joinpath("sh").iterdir()
        for match in DEFINITION.finditer(path.read_text("utf-8"))
    }
    return {name: (text, frozenset(NAME.findall(text)) & texts.keys()) for name, text in texts.items()}


def functions(*names: str) -> str:
    """Definitions of these functions and of all that they call, each once."""
    library, needed, found = _library(), list(names), dict[str, str]()
    while needed:
        name = needed.pop()
        if name not in found:
            found[name], calls = library[name]
            needed += calls
    return "".join(found[name] for name in sorted(found))


def with_functions(script: str, *more: str) -> str:
    """A script behind the functions of ``sh/`` that it calls, and those by more names."""
    return functions(*(_library().keys() & CALL.findall(script)), *more) + script


def group(script: str, *more: str) -> str:
    """The same as one command, which may stand anywhere in another script."""
    return f"{{ {with_functions(script, *more)}; }}"


def quote(text: str) -> str:
    """One quoted shell word; text with a NUL, which would end it early, or with bytes that are no text is refused."""
    if UNUSABLE.search(text):
        raise PlanRefused(f"{text[:LONGEST_SHOWN]!r} holds a NUL or is not valid UTF-8; no command can carry it")
    return shlex.quote(text)


def quoted(*values: object) -> str:
    """Each value as one quoted shell word."""
    return " ".join(quote(str(value)) for value in values)


def host_path(path: str) -> str:
    """A path as one word; a relative one is made absolute where the command runs, as ``docker -v`` needs it."""
    return quote(path) if path.startswith("/") else f'"$(pwd)"/{quote(path)}'


def expandable(value: str) -> str:
    """One word in which a ``${NAME}`` of the file is left to the remote shell (Kamal 1.9), but none of a value's."""
    spelt = (
        f'"{part}"' if index % 2 == 0 and VARIABLE.fullmatch(part) else quote(part)
        for index, piece in enumerate(pieces(value))
        for part in (VARIABLE.split(piece) if index % 2 == 0 else [piece])
        if part
    )
    return "".join(spelt) or "''"


def flags(options: tuple[tuple[str, object], ...]) -> str:
    """``--key value`` for each option; ``true`` is the bare flag, a list repeats it."""
    words: list[object] = []
    for name, item in ((name, item) for name, value in options for item in as_items(value)):
        # As a word of its own Docker would take `false` for the image.
        words.append(f"--{name}=false" if item is False else f"--{name}")
        words += [] if isinstance(item, bool) else ["" if item is None else item]
    return quoted(*words)


def join(*parts: str) -> str:
    """Parts of one command with single spaces; empty parts vanish."""
    return " ".join(part for part in parts if part)


def chain(*commands: str) -> str:
    """Commands that run one after the other as long as all succeed."""
    return " && ".join(command for command in commands if command)


def alongside(aside: str, script: str) -> str:
    """Do something at the same time as a script; both are waited for, but only the script's own end counts."""
    return f'{{ {aside} & aside=$!; {script}; code=$?; wait "$aside"; [ "$code" -eq 0 ]; }}'


def in_parallel(aside: str, script: str) -> str:
    """Two things at the same time, of which the second may read standard input; the code is 0 if both succeed."""
    return f'{{ {{ {aside}; }} & aside=$!; {script}; code=$?; wait "$aside" && [ "$code" -eq 0 ]; }}'


def guarded(script: str, *, seconds: int, key: str = "") -> str:
    """A script, with the functions that it calls, that stops when the SSH connection drops or its time is up.

    Then it gets TERM, and KILL five seconds later, and the exit code is 124 or 137. The key of the configuration with
    which the time can be made longer stands in the text for who reads it.
    """
    mark = f"{KEY_MARK}{key}\n" if key else ""
    whole = mark + BRIEF_CLIENT + with_functions(f"end_with_connection\n{script}")
    return f"timeout -k {KILL_SECONDS} {seconds} sh -c {quote(whole)}"
