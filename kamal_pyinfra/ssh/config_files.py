"""The files of ``ssh`` as lines, words and patterns (readconf.c, match.c)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SYSTEM = Path("/etc/ssh/ssh_config")
MOST_BYTES = 16 * 1024 * 1024
WHOLE_LINE = frozenset({"proxycommand", "proxyjump"})
"""Keywords whose value is the rest of the line."""
WORDS = re.compile(r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<plain>[^\s"']+))""")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SshConfigError(Exception):
    """A file of ``ssh`` that cannot be read or understood; the message names it."""


@dataclass(frozen=True)
class Line:
    """One keyword of a file, in small letters, with its words and the rest of its line as it is."""

    keyword: str
    words: tuple[str, ...]
    rest: str
    place: str


def version_of(path: Path) -> tuple[int, int]:
    """What changes with the content of a file, so that it is read once; zeros for a file that is not there."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, 0
    except OSError as error:
        raise SshConfigError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size


@cache
def lines_of(path: str, version: tuple[int, int]) -> tuple[Line, ...]:
    """The keywords of a file.

    Args:
        path: of the file.
        version: by which a changed file is known.
    """
    if version == (0, 0):
        return ()
    try:
        if not Path(path).is_file():
            return ()
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SshConfigError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise SshConfigError(f"{path} is too long")
    texts = data.decode(errors="surrogateescape").split("\n")
    return tuple(line for number, text in enumerate(texts, start=1) for line in _line(text, f"{path}:{number}"))


def _line(text: str, place: str) -> Iterator[Line]:
    stripped = text.strip(" \t\r\f\v")
    found = re.match(r'"?([A-Za-z0-9]+)"?(?:[ \t]*=[ \t]*|[ \t]+)(.*)', stripped)
    if stripped.startswith("#") or found is None:
        return
    keyword, rest = found[1].lower(), found[2].strip()
    words = (rest,) if keyword in WHOLE_LINE and rest else _words_of(rest, place)
    yield Line(keyword, tuple(words), rest, place)


def _words_of(text: str, place: str) -> list[str]:
    """Words as ``ssh`` separates them: quotes hold them together, ``#`` at the beginning of one ends the line."""
    words: list[str] = []
    rest = text
    while rest := rest.lstrip(" \t"):
        if rest.startswith("#"):
            break
        word, position = "", 0
        while position < len(rest) and rest[position] not in " \t":
            found = WORDS.match(rest, position)
            if found is None:
                raise SshConfigError(f"{place}: a quote is not closed")
            quoted = found["double"] if found["double"] is not None else found["single"]
            word += re.sub(r"""\\(["'\\])""", r"\1", quoted) if quoted is not None else found["plain"]
            position = found.end()
        words.append(word)
        rest = rest[position:]
    return words


def included_by(line: Line, *, is_users: bool) -> Iterator[Path]:
    """The files that an ``Include`` line names, those that are there."""
    for word in line.words:
        path = VARIABLE.sub(lambda found: os.environ.get(found[1], ""), word)
        if path.startswith("~"):
            path = str(Path(path).expanduser())
        elif not path.startswith("/"):
            path = str((Path("~/.ssh").expanduser() if is_users else SYSTEM.parent) / path)
        yield from (Path(found) for found in sorted(glob.glob(path)))  # noqa: PTH207 - absolute patterns


def is_in(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of those that patterns mean, of which one with ``!`` excludes."""
    fitting = [pattern for pattern in patterns if _fits(name, pattern.removeprefix("!"))]
    return bool(fitting) and not any(pattern.startswith("!") for pattern in fitting)


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or (bool(set(pattern) & {"*", "?"}) and _regex(pattern).fullmatch(name) is not None)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    # ssh knows `*` and `?` only; brackets are those of an address
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)
