"""PyYAML nodes → our tree: keys checked, merge keys and aliases resolved, variables replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

import yaml

from kamal_pyinfra.config.erb import Lookup
from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Map, Node, Place, Position, Scalar, Seq
from kamal_pyinfra.config.variables import fill, keeps_references
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
        lookups: the variables that its ERB asks for.
        environ: what variables are replaced from.
        unset: problems that do not matter where another file replaces the value.
        outer: the nodes that are being built; ``<<`` leads deeper without a longer path.
    """

    file: str
    lookups: tuple[Lookup, ...]
    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    unset: list[Problem] = field(default_factory=list)
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
        return self.text(node.value, path, place)

    def build_scalar(self, node: yaml.ScalarNode, path: tuple[str, ...], place: Place) -> Scalar:
        """A single value; plain text that changed is given the type of what it became."""
        text = self.text(node.value, path, place)
        is_implicit = node.style is None and node.tag == implicit_tag(node.value)
        tag = implicit_tag(text) if is_implicit else node.tag
        if tag.removeprefix(YAML) not in SCALAR_TAGS:
            self.complain(place, f"the YAML tag {tag} is not supported")
        return Scalar(typed(tag, text), text, place)

    def text(self, text: str, path: tuple[str, ...], place: Place) -> str:
        """A text with its variables replaced."""
        filled, unset = fill(text, self.lookups, self.environ, references=not keeps_references(path))
        for name in unset:
            self.unset.append(Problem(place.position, place.path, f"{name} is not set; add it to .env or export it"))
        if UNUSABLE.search(filled):
            self.complain(place, "a NUL character or half of a character cannot be part of a value")
        return filled

    def position(self, node: yaml.Node) -> Position:
        """Where a node begins."""
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

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
