"""YAML text as a tree: keys checked, aliases resolved, ``${NAME}`` and tags of ERB replaced, size limited."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import yaml

from kamal_pyinfra.config.document.erb import (
    LITERAL,
    MARKER,
    FileText,
    GitAnswer,
    Lookup,
    Refused,
    Template,
    Unanswered,
    Value,
    Values,
)
from kamal_pyinfra.config.document.tree import Map, Node, Place, Position, Problem, Scalar, Seq

MAX_DEPTH = 40
MAX_BYTES = 1_000_000
TAB = "found character '\\t' that cannot start any token"
DOCUMENT_END = re.compile(r"(\.\.\.|---)(?=\s|\Z)")
ENDS = {"...": "`...` ends the file here", "---": "`---` begins a second document here"}
MAX_NODES = 20_000
YAML = "tag:yaml.org,2002:"
MERGE_KEY = f"{YAML}merge"
REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
UNUSABLE = re.compile("[\0\ud800-\udfff]")
DEPTHS = {"env": 0, "traefik": 1, "servers": 2, "accessories": 2}
"""Steps to an ``env`` section, whose references the host's shell expands."""
SCALAR_TAGS = {"null", "bool", "int", "float", "str", "timestamp", "value", "merge"}
RULES = yaml.SafeLoader("")
NUMBERS = yaml.constructor.SafeConstructor()


class Loader(yaml.SafeLoader):
    """PyYAML's loader with a limit on nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node unless it is too deep."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # PyYAML has no types here
            raise yaml.MarkedYAMLError(problem="too_deep", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_text(path: Path) -> str | Problem:
    """The text of a file, or why it cannot be read."""
    start = Position(str(path), 1, 1)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Problem(start, "", f"Configuration file not found in {path}")
    except OSError as error:
        return Problem(start, "", f"cannot be read: {error.strerror}")
    if len(content) > MAX_BYTES:
        return Problem(start, "", f"larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        return Problem(Position(str(path), line, column), "", "is not valid UTF-8")


def parse(text: str, file: str) -> yaml.Node | Problem:
    """The document's root node, or the first syntax problem."""
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        return syntax_problem(error, text, file)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = Position(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        return Problem(position, "", f"the character #x{error.character:04x} is not allowed in YAML")
    except (ValueError, OverflowError):  # PyYAML on "\\UFFFFFFFF" and on %YAML with a huge number
        return Problem(Position(file, 1, 1), "", "not valid YAML: a number or an escape is out of range")
    if node is None:
        return Problem(Position(file, 1, 1), "", "the file is empty")
    return node


def syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """PyYAML's error in one line."""
    mark = error.problem_mark or error.context_mark
    position = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
    if error.problem == "too_deep":
        return Problem(position, "", f"nested more than {MAX_DEPTH} levels deep")
    lines = list(enumerate(text.split("\n"), 1))
    for number, content in lines[max(0, position.line - 2) : position.line]:
        if tab := re.match(r"[^\S\t]*\t(?=\s*\S)", content):
            return Problem(Position(file, number, tab.end()), "", "a tab in the indentation; YAML wants spaces")
    if error.problem == TAB:
        return Problem(position, "", "a tab between words; YAML wants spaces there")
    if end := document_end(lines[: position.line]):
        marker, line = end
        return Problem(Position(file, line, 1), "", f"{ENDS[marker]}; what follows is not read: take the line out")
    context = f" ({error.context})" if error.context else ""
    return Problem(position, "", f"not valid YAML: {error.problem}{context}".replace("\n", " "))


def document_end(lines: list[tuple[int, str]]) -> tuple[str, int] | None:
    """The marker that ends the first document in numbered lines, and its line."""
    is_begun = False
    for number, content in lines:
        marker = DOCUMENT_END.match(content)
        if marker and (is_begun or marker[1] == "..."):
            return marker[1], number
        is_begun = is_begun or marker is not None or content.strip()[:1] not in ("", "#", "%")
    return None


class TooLargeError(Exception):
    """A document larger than any deploy.yml, by aliases inside aliases or of themselves."""


@dataclass
class TreeBuilder:
    """Turn the nodes of one file into a tree, and collect its problems."""

    file: str
    template: Template
    values: Values
    problems: list[Problem] = field(default_factory=list)
    # problems that do not matter where another file replaces the value
    unset: list[Problem] = field(default_factory=list)
    # positions of values with a problem of this kind, of which nothing else is reported
    unknown: set[Position] = field(default_factory=set)
    # tags that are not understood and part of a value, with the value's path
    refused: dict[int, str] = field(default_factory=dict)
    count: int = 0
    # the nodes being built; ``<<`` leads deeper without a longer path
    outer: list[yaml.Node] = field(default_factory=list)

    def build(self, node: yaml.Node, path: tuple[str, ...] = (), key: Position | None = None) -> Node:
        """The tree of a node and of all below it."""
        self.count += 1
        place = Place(self.position(node), "/".join(path), key)
        if any(node is outer for outer in self.outer):
            self.complain(place, "an alias (`*`) leads back to the value that it stands in", unknown=True)
            return Map({}, place)
        if self.count > MAX_NODES or len(self.outer) > MAX_DEPTH:
            top = Place(self.position((*self.outer, node)[1]), "/".join(path[:1]))
            self.complain(top, "too many values: are there aliases inside aliases?")
            raise TooLargeError
        self.outer.append(node)
        try:
            if isinstance(node, yaml.ScalarNode):
                return self.build_scalar(node, path, place)
            if isinstance(node, yaml.MappingNode):
                return self.build_map(node, path, place)
            return Seq([self.build(item, (*path, str(i))) for i, item in enumerate(node.value)], place)
        finally:
            self.outer.pop()

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
        """The entries that ``<<`` adds: those of a map, or of a list of maps of which the first wins."""
        maps = node.value if isinstance(node, yaml.SequenceNode) else [node]
        place = Place(self.position(node), "/".join(path))
        built = [self.build(item, path) for item in maps]
        if not all(isinstance(item, Map) for item in built):
            self.complain(place, "`<<` should be a hash or an array of hashes")
        found = [item.items() for item in reversed(built) if isinstance(item, Map)]
        return dict(chain.from_iterable(found))

    def key(self, node: yaml.Node, path: tuple[str, ...]) -> str | None:
        """The text of a key; ``None``, with a problem, if it has none."""
        place = Place(self.position(node), "/".join(path))
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{YAML}null":
            self.complain(place, "a key should be a string")
            return None
        known = len(self.refused)
        text = "".join(self.filled(node.value, path, place))
        return text if len(self.refused) == known else None

    def build_scalar(self, node: yaml.ScalarNode, path: tuple[str, ...], place: Place) -> Scalar:
        """A single value; changed plain text gets the type of its new text."""
        parts = self.filled(node.value, path, place)
        text = "".join(parts)
        is_implicit = node.style is None and node.tag == implicit_tag(node.value)
        tag = implicit_tag(text) if is_implicit else node.tag
        if tag.removeprefix(YAML) not in SCALAR_TAGS:
            self.complain(place, f"the YAML tag {tag} is not supported", unknown=True)
        return Scalar(typed(tag, text), text, place, parts if len(parts) > 1 else ())

    def filled(self, text: str, path: tuple[str, ...], place: Place) -> tuple[str, ...]:
        """A text with markers and, outside of ``env``, each ``${NAME}`` replaced; written and inserted parts in turn.

        Values are not replaced again. ``$${NAME}`` gives ``${NAME}``; other forms such as ``${NAME:-x}`` stay.
        """
        depth = DEPTHS.get(path[0] if path else "", len(path))
        keeps = path[depth : depth + 1] == ("env",)
        parts = MARKER.split(text)
        for index, part in enumerate(parts):
            if index % 2:
                parts[index] = self.marked(int(part), place)
                continue
            written = part.replace(LITERAL, "<%")
            parts[index] = written if keeps else REFERENCE.sub(lambda found: self.reference(found, place), written)
        if UNUSABLE.search("".join(parts)):
            self.complain(place, "a NUL character or half of a character cannot be part of a value", unknown=True)
        return tuple(parts)

    def marked(self, number: int, place: Place) -> str:
        """The value of a marker."""
        tag = self.template.tags[number] if number < len(self.template.tags) else None
        if isinstance(tag, Refused):
            self.refused.setdefault(number, place.path)
            self.unknown.add(place.position)
        return "" if tag is None or isinstance(tag, Refused) else self.value_of(tag, place)

    def reference(self, found: re.Match[str], place: Place) -> str:
        """The value of ``${NAME}``."""
        return found[0][1:] if found[0].startswith("$$") else self.value_of(Lookup(found[1], None), place)

    def value_of(self, tag: Value, place: Place) -> str:
        """The value of a tag; without the line break at the end of a file or of git's output, as YAML would."""
        try:
            found = self.values.of(tag)
        except Unanswered as error:
            self.unset.append(Problem(place.position, place.path, str(error)))
            self.unknown.add(place.position)
            return ""
        return found.rstrip("\r\n") if isinstance(tag, FileText | GitAnswer) else found

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
        """The position of a node's first character."""
        return Position(self.file, self.template.line(node.start_mark.line + 1), node.start_mark.column + 1)

    def complain(self, place: Place, message: str, *, unknown: bool = False) -> None:
        """Record a problem; nothing else is reported of an ``unknown`` value."""
        self.problems.append(Problem(place.position, place.path, message))
        self.unknown.update([place.position] if unknown else ())


def implicit_tag(text: str) -> str:
    """YAML's tag for plain text."""
    return str(RULES.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call] # PyYAML has no types here


def typed(tag: str, text: str) -> str | int | bool | None:
    """The value of a scalar, typed where deploy.yml needs the type."""
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
