"""Read files into a ``Config``, or report every problem at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from kamal_pyinfra.config.checks import cross_checks
from kamal_pyinfra.config.document.erb import Template, Values
from kamal_pyinfra.config.document.reader import TooLargeError, TreeBuilder, parse, read_text
from kamal_pyinfra.config.document.source import (
    Source,
    check_destination,
    destination_path,
    load_environment,
    other_destinations,
)
from kamal_pyinfra.config.document.tree import Map, Node, Position, Problem, Scalar, merge, to_problem, walk
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.secrets import open_words, secret_values
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.redactor import redacted

ELSEWHERE = ("No servers specified", "The primary_role")
KAMAL_2 = re.compile(
    r"proxy|aliases|error_pages_path|builder/(arch|pack|provenance|sbom)|boot/parallel_roles"
    r"|(servers|accessories)/(?![0-9]+/)[^/]+/proxy"
)
"""Paths of the keys that only Kamal 2 has."""
KAMAL_1_KEYS = ("traefik", "healthcheck", "stop_wait_time")
INSTEAD = {
    "proxy": "labels of Traefik and `healthcheck` for `proxy`",
    "builder.arch": "`builder: {local: {arch: ARCH}}` for `builder.arch`",
    "builder.remote": "`builder: {remote: {arch: ARCH, host: ssh://…}}` for `builder.remote`",
    "builder.local": "`builder: {multiarch: false}` for `builder.local`",
    "aliases": "nothing for `aliases`",
    ".kamal/secrets": "`.env` for `.kamal/secrets`",
}


def load_config(
    path: Path | str = "config/deploy.yml", *, destination: str | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """The configuration of a main file, the destination's file beside it, and the env files of the working directory.

    ``environ`` (``os.environ`` by default) wins over env files and is never changed.
    Raises ConfigError with one line per problem, each ``FILE:LINE:COLUMN path: message``.
    """
    path = Path(path)
    check_destination(destination)
    root = Path.cwd()
    environment, problems = load_environment(os.environ if environ is None else environ, root, destination)
    document = read_document(path, destination, Values(environment, root))
    problems += document.problems
    tree = document.tree
    if tree is None:
        raise config_error(problems)
    config, found = validate(tree, document.unknown)
    if config is not None and not problems:
        positions = {node.place.path: node.place.position for node in walk(tree)}
        source = Source(path=path, root=root, destination=destination, environ=environment, positions=positions)
        config = config.loaded_from(source)
        found = cross_checks(config, tree)
    if config is None or problems or found:
        choice = other_destinations(path) if destination is None else ""
        named = (each._replace(message=each.message + choice) if _is_elsewhere(each, tree) else each for each in found)
        raise config_error([*problems, *named])
    redacted.learn(secret_values(config), open_words=open_words(config))
    return config


def _is_elsewhere(problem: Problem, tree: Map) -> bool:
    """Whether what is missing may be in the file of a destination."""
    node = tree.get(problem.path)
    is_missing = problem.message == "is required" and "/" not in problem.path
    is_empty = isinstance(node, Scalar) and node.value is None
    return is_missing or is_empty or problem.message.startswith(ELSEWHERE)


class Document(NamedTuple):
    """The content of one or two files; ``tree`` is ``None`` if one could not be read to its end."""

    tree: Map | None
    problems: Sequence[Problem] = ()
    # values that need a variable without value; no problem where another file replaces them
    unset: Sequence[Problem] = ()
    unknown: frozenset[Position] = frozenset()  # positions whose values have a problem already


def read_document(path: Path, destination: str | None, values: Values) -> Document:
    """The main file with the destination's merged over it; a file of Kamal 2 raises ConfigError about that alone."""
    paths = [path] if destination is None else [path, destination_path(path, destination)]
    documents = [read_file(each, values) for each in paths]
    if destination is not None and not paths[-1].exists():
        missing = documents[-1].problems[0]
        message = missing.message + other_destinations(path, destination)
        documents[-1] = Document(None, [missing._replace(message=message)])
    trees = [document.tree for document in documents if document.tree is not None]
    foreign = next(filter(None, (kamal_2_problem(tree, values.root) for tree in trees)), None)
    if foreign is not None:
        raise ConfigError(str(foreign))
    problems = [problem for document in documents for problem in document.problems]
    if len(trees) < len(documents):
        return Document(None, problems)
    tree = merge(trees[0], trees[-1])
    in_use = {position for node in walk(tree) for position in (node.place.position, node.place.key)}
    unset = [problem for document in documents for problem in document.unset if problem.position in in_use]
    unknown = frozenset().union(*(document.unknown for document in documents))
    return Document(tree, [*problems, *unset], unknown=unknown)


def require_kamal_1(path: Path, root: Path) -> None:
    """Raise ConfigError if a file is one of Kamal 2; ignore whatever else is wrong with it."""
    tree = read_file(path, Values({}, root)).tree
    problem = None if tree is None else kamal_2_problem(tree, root)
    if problem is not None:
        raise ConfigError(str(problem))


def read_file(path: Path, values: Values) -> Document:
    """The content of one file."""
    text = read_text(path)
    if isinstance(text, Problem):
        return Document(None, [text])
    template = Template(text)
    builder = TreeBuilder(str(path), template, values)
    node = parse(template.text, str(path))
    if isinstance(node, Problem):
        place = node.position._replace(line=template.line(node.position.line))
        return Document(None, [*builder.found(), node._replace(position=place)])
    try:
        tree = builder.build(node)
    except TooLargeError:
        return Document(None, builder.found())
    if not isinstance(tree, Map):
        return Document(None, [*builder.found(), Problem(tree.place.position, "", "should be a hash")])
    return Document(tree, builder.found(), builder.unset, frozenset(builder.unknown))


def validate(tree: Map, unknown: frozenset[Position]) -> tuple[Config | None, list[Problem]]:
    """The configuration of a document, or its problems; values with a known problem are not reported again."""
    try:
        return Config.model_validate(tree), []
    except ValidationError as error:
        found = [to_problem(details, tree, Config) for details in error.errors(include_url=False)]
        return None, [problem for problem in found if problem.position not in unknown]


def config_error(problems: list[Problem]) -> ConfigError:
    """An error with all problems, sorted by place, each once."""
    return ConfigError(*map(str, dict.fromkeys(sorted(problems))))


def kamal_2_problem(tree: Map, root: Path) -> Problem | None:
    """The one problem of a file of Kamal 2, which also names ``.kamal/secrets`` below ``root``; ``None`` for others."""
    found = {node.place.path.replace("/", "."): node.place for node in walk(tree) if _is_of_kamal_2(node)}
    if not found:
        return None
    first = min((place.key or place.position for place in found.values()), key=lambda place: place.line)
    names = [*found, *([".kamal/secrets"] if any((root / ".kamal").glob("secrets*")) else [])]
    known = dict.fromkeys("proxy" if name.endswith("proxy") else name for name in names)
    instead = [INSTEAD[name] for name in known if name in INSTEAD]
    both = [name for name in KAMAL_1_KEYS if name in tree]
    beside = f" beside keys of Kamal 1.9 ({', '.join(both)})" if both else ""
    message = f"this is a configuration of Kamal 2 ({', '.join(names)}){beside}; kp reads Kamal 1.9's"
    return Problem(first, "", ": write ".join(filter(None, (message, ", ".join(instead)))))


def _is_of_kamal_2(node: Node) -> bool:
    path, value = node.place.path, node.value if isinstance(node, Scalar) else None
    is_other_builder = path == "builder/remote" and "://" in str(value)
    return is_other_builder or (path == "builder/local" and isinstance(value, bool)) or bool(KAMAL_2.fullmatch(path))
