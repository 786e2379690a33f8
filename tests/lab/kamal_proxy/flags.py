"""Command-line flags with the types, forms and error texts of Go's pflag."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import durations

TRUE = ("1", "t", "T", "true", "TRUE", "True")
FALSE = ("0", "f", "F", "false", "FALSE", "False")
Value = str | int | bool | list[str]


class UsageError(Exception):
    """The command line is wrong; the text is what the command prints after `Error: `."""


@dataclass(frozen=True)
class Flag:
    """One flag.

    Args:
        name: without the dashes.
        kind: string, strings, bool, int or duration.
        default: its value when it is not given.
    """

    name: str
    kind: str
    default: Value


@dataclass
class Parsed:
    """What a command line says."""

    values: dict[str, Value]
    given: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)
    wants_help: bool = False

    def text(self, name: str) -> str:
        return str(self.values[name])

    def number(self, name: str) -> int:
        return int(str(self.values[name]))

    def is_on(self, name: str) -> bool:
        return self.values[name] is True

    def texts(self, name: str) -> list[str]:
        found = self.values[name]
        return found if isinstance(found, list) else []


def parse(flags: Sequence[Flag], words: Sequence[str]) -> Parsed:
    """Read a command line; flags and arguments may be mixed, and `--` ends the flags."""
    known = {flag.name: flag for flag in flags}
    parsed = Parsed({flag.name: flag.default for flag in flags})
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.arguments += rest
            break
        if not word.startswith("-") or word == "-":
            parsed.arguments.append(word)
        elif word in ("-h", "--help"):
            parsed.wants_help = True
        elif not word.startswith("--"):
            raise UsageError(f"unknown shorthand flag: '{word[1]}' in {word}")
        else:
            _take(known, parsed, word, rest)
    return parsed


def _take(known: dict[str, Flag], parsed: Parsed, word: str, rest: list[str]) -> None:
    name, equals, value = word[2:].partition("=")
    if not name or name.startswith("-"):
        raise UsageError(f"bad flag syntax: {word}")
    flag = known.get(name)
    if flag is None:
        raise UsageError(f"unknown flag: --{name}")
    if not equals:
        if flag.kind == "bool":
            value = "true"
        elif rest:
            value = rest.pop(0)
        else:
            raise UsageError(f"flag needs an argument: --{name}")
    try:
        read = READERS[flag.kind](value)
    except ValueError as error:
        raise UsageError(f'invalid argument "{value}" for "--{name}" flag: {error}') from None
    is_another = flag.kind == "strings" and name in parsed.given
    parsed.values[name] = [*parsed.texts(name), *read] if is_another and isinstance(read, list) else read
    parsed.given.add(name)


def _read_strings(value: str) -> Value:
    try:
        return next(csv.reader([value], strict=True), []) if value else []
    except csv.Error:
        column = len(value.encode()) + 1
        raise ValueError(f'parse error on line 1, column {column}: extraneous or missing " in quoted-field') from None


def _read_bool(value: str) -> Value:
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise ValueError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def _read_int(value: str) -> Value:
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


READERS: dict[str, Callable[[str], Value]] = {
    "string": str,
    "strings": _read_strings,
    "bool": _read_bool,
    "int": _read_int,
    "duration": durations.parse,
}
