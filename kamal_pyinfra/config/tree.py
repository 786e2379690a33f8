"""A YAML document whose every value knows where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: in its file, and in the document.

    Args:
        position: where the value begins.
        path: keys and list indexes that lead to it, such as ``servers/web/hosts/0``.
        key: where its key begins; ``None`` for list items and for the document itself.
    """

    position: Position
    path: str
    key: Position | None = None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: its type as YAML sees it, and the text as it was written.

    Args:
        value: ``None``, a boolean or an integer where YAML says so; the text for all the rest.
        text: the source text, so that ``1.10``, ``0123`` and ``yes`` can stay what they are.
        parts: the text in pieces, by turns written in the file and put there from a variable, a file or git; empty if
            all of it was written.
    """

    value: str | int | bool | None
    text: str
    place: Place
    parts: tuple[str, ...] = ()


class Map(dict[str, "Node"]):
    """A YAML map, in the order of the file."""

    def __init__(self, entries: dict[str, Node], place: Place) -> None:
        super().__init__(entries)
        self.place = place


class Seq(list["Node"]):
    """A YAML list."""

    def __init__(self, items: list[Node], place: Place) -> None:
        super().__init__(items)
        self.place = place


Node = Scalar | Map | Seq


def place_of(value: object) -> Place | None:
    """The place of a node; ``None`` for a value that was not read from a file."""
    return value.place if isinstance(value, Scalar | Map | Seq) else None


def merge(base: Node, override: Node) -> Node:
    """Maps merge key by key and recursively; anything else in ``override`` replaces what ``base`` has."""
    if not (isinstance(base, Map) and isinstance(override, Map)):
        return override
    merged = dict(base)
    for key, value in override.items():
        merged[key] = merge(base[key], value) if key in base else value
    return Map(merged, base.place)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below a node."""
    if isinstance(node, Map):
        return tuple(node.values())
    return tuple(node) if isinstance(node, Seq) else ()
