"""Origin of a configuration: files, destinations, ``.env`` values."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from kamal_pyinfra.config.document.reader import read_text
from kamal_pyinfra.config.document.tree import Position, Problem, did_you_mean
from kamal_pyinfra.errors import ConfigError

if TYPE_CHECKING:
    from dotenv.parser import Binding

VARIABLE = re.compile(r"(\\)?\$(?!\()(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))", re.ASCII)
SINGLE = re.compile(r"=[^\S\r\n]*'((?:\\'|[^'])*)'")
COLON = re.compile(r"\s*(?:export\s+)?([\w.]+):[ \t]+(.*)", re.ASCII)
COMMAND = re.compile(r"(?<!\\)\$\(")
DESTINATION = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


class Environment(dict[str, str]):
    """Names and values; printing it shows no value."""

    def __repr__(self) -> str:
        return f"Environment({len(self)} variables)"


def load_environment(
    process: Mapping[str, str], root: Path, destination: str | None
) -> tuple[Environment, list[Problem]]:
    """Variables of the process and the env files, and the files' problems; the process environment stays unchanged."""
    merged = dict(process)
    problems: list[Problem] = []
    for name in [".env"] if destination is None else [f".env.{destination}", ".env"]:  # those that win first
        if not (root / name).is_file():
            continue
        text = read_text(root / name)
        if isinstance(text, Problem):
            problems.append(text._replace(position=text.position._replace(file=name)))
            continue
        values, found = parse_env_file(text, name, merged)
        merged = values | merged
        problems += found
    return Environment(merged), problems


def parse_env_file(text: str, file: str, known: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Variables of one file and its problems; ``known`` ones win for ``$NAME``."""
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    problems: list[Problem] = []
    either: Mapping[str, str] = ChainMap(dict(known), values)
    for binding in (with_equals_sign(each) for each in parse_stream(StringIO(text))):
        message = "should be NAME=value" if binding.error else ""
        if not message and binding.value and not is_literal(binding) and COMMAND.search(binding.value):
            message = f"{binding.key}: $(...) is not run here; write the value, or quote it with ' if it is meant so"
        if message:
            first = binding.original.string
            skipped = first[: len(first) - len(first.lstrip())].count("\n")
            problems.append(Problem(Position(file, binding.original.line + skipped, 1), "", message))
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = interpolate(binding, either)
    return values, problems


def with_equals_sign(binding: Binding) -> Binding:
    """A line ``NAME: value``, which Kamal's dotenv allows, with an equals sign; any other line unchanged."""
    from dotenv.parser import parse_stream

    found = COLON.fullmatch(binding.original.string.rstrip("\n")) if binding.error else None
    if found is None:
        return binding
    read = next(parse_stream(StringIO(f"{found[1]}={found[2]}")))
    return read._replace(original=binding.original._replace(string=f"{found[1]}={found[2]}"))


def interpolate(binding: Binding, known: Mapping[str, str]) -> str:
    """The value with ``$NAME`` and ``${NAME}`` replaced as Kamal's dotenv does; single-quoted text is literal."""
    value = binding.value or ""
    if is_literal(binding):
        written = SINGLE.search(binding.original.string)
        return written[1] if written else value

    def replacement(match: re.Match[str]) -> str:
        return match[0][1:] if match[1] else known.get(match[2] or match[3], "")

    return VARIABLE.sub(replacement, value)


def is_literal(binding: Binding) -> bool:
    """Whether the value is in single quotes."""
    return binding.original.string.partition("=")[2].lstrip(" \t").startswith("'")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Files, destination and environment of a loaded configuration."""

    path: Path = Path("config/deploy.yml")
    root: Path = field(default_factory=Path.cwd)
    destination: str | None = None
    environ: Environment = field(default_factory=Environment)
    positions: Mapping[str, Position] = field(default_factory=dict, repr=False)  # by path of the document
    # names of those that are called once for it, and have been
    called_hooks: set[str] = field(default_factory=set, repr=False, compare=False)

    def located(self, path: str, message: str) -> str:
        """A problem's line for a path of the document."""
        position = self.positions.get(path)
        return f"{path}: {message}" if position is None else f"{position} {path}: {message}"


def destination_path(path: Path, destination: str) -> Path:
    """``deploy.yml`` → ``deploy.DESTINATION.yml``, in the same folder."""
    return path.with_name(f"{path.stem}.{destination}{path.suffix}")


def check_destination(destination: str | None) -> None:
    """Raise ConfigError for a destination that cannot be part of file and container names."""
    if destination is not None and not re.fullmatch(DESTINATION, destination, re.ASCII):
        raise ConfigError(f"destination {destination!r} can only include letters, digits, `_`, `.` and `-`")


def other_destinations(path: Path, wanted: str | None = None) -> str:
    """Advice on the destinations that have a file beside the main one; empty if there is none."""
    start, end = f"{path.stem}.", path.suffix
    try:
        names = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    except OSError:
        return ""
    found = (name[len(start) : len(name) - len(end)] for name in names if name.startswith(start) and name.endswith(end))
    known = [name for name in found if re.fullmatch(DESTINATION, name, re.ASCII)]
    hint = "; choose one with -d" if wanted is None else did_you_mean(wanted, known)
    return f"; there are destinations: {', '.join(known)}{hint}" if known else ""
