"""The tree of values with their places, and problems that point into it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MESSAGES = {
    "model_type": "should be a hash",
    "dict_type": "should be a hash",
    "tuple_type": "should be an array",
    "list_type": "should be an array",
}


class Position(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is written."""

    position: Position
    path: str  # keys and list indexes that lead to it, such as ``servers/web/hosts/0``
    key: Position | None = None  # position of its key; ``None`` for list items and for the document itself


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: its type in YAML, and its text as written."""

    # ``None``, a boolean or an integer where YAML has these types; the text for all the rest
    value: str | int | bool | None
    text: str  # the source text, so that ``1.10``, ``0123`` and ``yes`` can stay what they are
    place: Place
    # the text, alternately written in the file and inserted from a variable, a file or git; empty if all of it was
    # written
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


def merge(base: Map, override: Map) -> Map:
    """Merge maps recursively; anything else in ``override`` replaces its counterpart in ``base``."""
    merged = dict(base)
    for key, value in override.items():
        below = base.get(key)
        merged[key] = merge(below, value) if isinstance(below, Map) and isinstance(value, Map) else value
    return Map(merged, base.place)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    if not isinstance(node, Scalar):
        for child in node.values() if isinstance(node, Map) else node:
            yield from walk(child)


class Problem(NamedTuple):
    """One problem; sorting orders those of one file from top to bottom."""

    position: Position
    path: str
    message: str

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{self.position} {CONTROL.sub(lambda found: repr(found[0])[1:-1], text)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean `x`?)`` when one of the known names is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def to_problem(details: Mapping[str, Any], tree: Map, model: type[BaseModel]) -> Problem:
    """One of pydantic's errors in Kamal's words, with the place where its value is written."""
    kind, loc = details["type"], details["loc"]
    place = details.get("ctx", {}).get("place") or place_of(details["input"]) or nearest(tree, loc)
    if kind == "extra_forbidden":
        key, section = str(loc[-1]), model
        for step in loc[:-1]:
            field = section.model_fields.get(str(step))
            section = section if field is None else next(sections_in(field.annotation), section)
        parent = place.path.removesuffix(key).removesuffix("/")
        hint = did_you_mean(key, section.model_fields)
        return Problem(place.key or place.position, parent, f"unknown key: {key}{hint}")
    if kind == "missing":
        path = "/".join(filter(None, (place.path, str(loc[-1]))))
        return Problem(place.key or place.position, path, "is required")
    if kind == "literal_error":
        return Problem(place.position, place.path, f"should be {details['ctx']['expected']}")
    return Problem(place.position, place.path, MESSAGES.get(kind, details["msg"]))


def nearest(tree: Node, loc: tuple[int | str, ...]) -> Place:
    """The place of a location, as far as the file has its steps."""
    for step in loc:
        if isinstance(tree, Map) and step in tree:
            tree = tree[str(step)]
        elif isinstance(tree, Seq) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
    return tree.place


def sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from sections_in(part)
