"""PyYAML nodes → our tree: keys checked, merge keys and aliases resolved, variables replaced."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain

import yaml

from kamal_pyinfra.config.erb import Refused, Template
from kamal_pyinfra.config.erb_values import Values
from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Map, Node, Place, Position, Scalar, Seq
from kamal_pyinfra.config.variables import Filling, fill, keeps_references
from kamal_pyinfra.config.yaml_nodes import MAX_DEPTH

MAX_NODES = 20_000
YAML = "tag:yaml.org,2002:"
MERGE_KEY = f"{YAML}merge"
UNUSABLE = re.compile("[\0\ud800-\udfff]")
SCALAR_TAGS = {"null", "bool", "int", "float", "str", "timestamp", "value", "merge"}
RULES = yaml.SafeLoader("")
NUMBERS = yaml.constructor.SafeConstructor()


class TooLargeError(Exception):
    """The document grows beyond any deploy.yml: aliases inside aliases, or aliases of themselves."""


@dataclass
class TreeBuilder:
    """Turns the nodes of one file into a tree, and collects what is wrong with it.

    Args:
        file: what the file is called in messages.
        template: what its tags of ERB stand for.
        values: what variables are replaced from.
        unset: problems that do not matter where another file replaces the value.
        unknown: where values are that have a problem of this kind, so that nothing else need be said of them.
        refused: tags that are not understood and part of a value, with the value's path.
        outer: the nodes that are being built; ``<<`` leads deeper without a longer path.
    """

    file: str
    template: Template
    values: Values
    problems: list[Problem] = field(default_factory=list)
    unset: list[Problem] = field(default_factory=list)
    unknown: set[Position] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    count: int = 0
    outer: list[yaml.Node] = field(default_factory=list)

    def build(self, node: yaml.Node, path: tuple[str, ...] = (), key: Position | None = None) -> Node:
        """The tree of a node and of all below it."""
        self.count += 1
        place = Place(self.position(node), "/".join(path), key)
        if any(node is outer for outer in self.outer):
            self.complain(place, "an alias (`*`) leads back to the value that it stands in")
            return Map({}, place)
        if self.count > MAX_NODES or len(self.outer) > MAX_DEPTH:
            top = Place(self.position((*self.outer, node)[1]), "/".join(path[:1]))
            self.complain(top, "too many values: are there aliases inside aliases?")
            raise TooLargeError
        self.outer.append(node)
        try:
            return self.build_any(node, path, place)
        finally:
            self.outer.pop()

    def build_any(self, node: yaml.Node, path: tuple[str, ...], place: Place) -> Node:
        """The tree of a node of any kind."""
        if isinstance(node, yaml.ScalarNode):
            return self.build_scalar(node, path, place)
        if isinstance(node, yaml.MappingNode):
            return self.build_map(node, path, place)
        return Seq([self.build(item, (*path, str(i))) for i, item in enumerate(node.value)], place)

    def build_map(self, node: yaml.MappingNode, path: tuple[str, ...], place: Place) -> Map:
        """A map; keys of ``<<`` count only where the map does not have them itself."""
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE_KEY:
                merged = {**self.merged(value_node, path), **merged}
                continue
            key = self.key(key_node, path)
            if key is None or (not path and key.startswith("x-")):
                continue
            position = self.position(key_node)
            if key in own:
                first = getattr(own[key].place.key, "line", position.line)
                message = f"duplicate key: {key} (first on line {first}); put both into one"
                self.problems.append(Problem(position, place.path, message))
            own[key] = self.build(value_node, (*path, key), position)
        return Map({**merged, **own}, place)

    def merged(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, Node]:
        """What ``<<`` brings: a map, or a list of maps of which the first wins."""
        maps = node.value if isinstance(node, yaml.SequenceNode) else [node]
        place = Place(self.position(node), "/".join(path))
        built = [self.build(item, path) for item in maps]
        if not all(isinstance(item, Map) for item in built):
            self.complain(place, "`<<` should be a hash or an array of hashes")
        found = [item.items() for item in reversed(built) if isinstance(item, Map)]
        return dict(chain.from_iterable(found))

    def key(self, node: yaml.Node, path: tuple[str, ...]) -> str | None:
        """The text of a key; ``None``, with a problem, for a key that has none."""
        place = Place(self.position(node), "/".join(path))
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{YAML}null":
            self.complain(place, "a key should be a string")
            return None
        known = len(self.refused)
        text = self.filled(node.value, path, place).text
        return text if len(self.refused) == known else None

    def build_scalar(self, node: yaml.ScalarNode, path: tuple[str, ...], place: Place) -> Scalar:
        """A single value; plain text that changed is given the type of what it became."""
        filled = self.filled(node.value, path, place)
        text = filled.text
        is_implicit = node.style is None and node.tag == implicit_tag(node.value)
        tag = implicit_tag(text) if is_implicit else node.tag
        if tag.removeprefix(YAML) not in SCALAR_TAGS:
            self.complain(place, f"the YAML tag {tag} is not supported")
            self.unknown.add(place.position)
        return Scalar(typed(tag, text), text, place, filled.parts if len(filled.parts) > 1 else ())

    def filled(self, text: str, path: tuple[str, ...], place: Place) -> Filling:
        """A text with its variables replaced."""
        filled = fill(text, self.template.tags, self.values, references=not keeps_references(path))
        self.unset += [Problem(place.position, place.path, message) for message in filled.unset]
        self.refused = dict.fromkeys(filled.refused, place.path) | self.refused
        if filled.unset or filled.refused:
            self.unknown.add(place.position)
        if UNUSABLE.search(filled.text):
            self.complain(place, "a NUL character or half of a character cannot be part of a value")
            self.unknown.add(place.position)
        return filled

    def found(self) -> list[Problem]:
        """What is wrong with the file, tags in comments left out."""
        tags = (*enumerate(self.template.tags), *((-1, problem) for problem in self.template.problems))
        refused = [
            Problem(Position(self.file, tag.line, tag.column), self.refused.get(number, ""), tag.message)
            for number, tag in tags
            if isinstance(tag, Refused) and (tag.is_certain or number in self.refused)
        ]
        return [*self.problems, *refused]

    def position(self, node: yaml.Node) -> Position:
        """Where a node begins."""
        return Position(self.file, self.template.line(node.start_mark.line + 1), node.start_mark.column + 1)

    def complain(self, place: Place, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(place.position, place.path, message))


def implicit_tag(text: str) -> str:
    """The tag that YAML gives to plain text."""
    return str(RULES.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call] # PyYAML has no types here


def typed(tag: str, text: str) -> str | int | bool | None:
    """The value of a scalar as far as deploy.yml has a use for its type."""
    if tag == f"{YAML}null":
        return None
    if tag == f"{YAML}bool":
        return yaml.SafeLoader.bool_values.get(text.lower(), text)
    if tag != f"{YAML}int":
        return text
    try:
        return int(NUMBERS.construct_yaml_int(yaml.ScalarNode(tag, text)))
    except (ValueError, IndexError):
        return text
