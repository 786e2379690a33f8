"""The lines that a script on a host prints: ``KIND TEXT``, the last of them ``end``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from kamal_pyinfra.text import one_line

Value = TypeVar("Value")
LONGEST = 300


class SnapshotError(ValueError):
    """The output is cut short or not what the script prints."""


class Rows:
    """The lines of one look at a host, by their kind.

    Args:
        look: what the look is called in messages.
        output: the script's standard output, line by line.

    Raises:
        SnapshotError: the last line is missing.
    """

    def __init__(self, look: str, output: Iterable[str]) -> None:
        self.look = look
        self._rows: dict[str, list[tuple[int, str]]] = {}
        for number, line in enumerate(output, 1):
            kind, _, text = line.encode(errors="replace").decode().partition(" ")
            self._rows.setdefault(kind, []).append((number, text))
        if "end" not in self:
            raise SnapshotError(f"{look} is cut short")

    def __contains__(self, kind: str) -> bool:
        return kind in self._rows

    def texts(self, kind: str) -> list[str]:
        """What the lines of a kind say."""
        return [text for _, text in self._rows.get(kind, [])]

    def text(self, kind: str) -> str:
        """What the lines of a kind say, as one; empty if there is none."""
        return "".join(self.texts(kind))

    def first(self, kind: str) -> str | None:
        """What the first line of a kind says; ``None`` if there is none."""
        return next(iter(self.texts(kind)), None)

    def read(self, kind: str, reader: Callable[[str], Value]) -> list[Value]:
        """The value of each line of a kind.

        Raises:
            SnapshotError: a line is not of its kind; the message says which line, and what is wrong with it.
        """
        return [self._value(number, kind, text, reader) for number, text in self._rows.get(kind, [])]

    def _value(self, number: int, kind: str, text: str, reader: Callable[[str], Value]) -> Value:
        try:
            return reader(text)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            line = one_line(f"{self.look} cannot be read: line {number}, {kind}: {_reason(error)}")
            raise SnapshotError(line[:LONGEST]) from error


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    problem = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, ("/".join(map(str, problem["loc"])), problem["msg"])))
