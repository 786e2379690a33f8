"""What a Dockerfile tells about the image that it makes."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

IGNORE = re.compile(r"\*\*/|\*\*|\*|\?|\[(?P<negated>\^)?(?P<inside>(?:\\.|[^\]\\])+)\]|\\.|.", re.DOTALL)
_IGNORE_PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
NEVER = re.compile(r"(?!)")
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::-([^}]*))?\}?", re.ASCII)


@dataclass(kw_only=True)
class Image:
    """The last stage of a Dockerfile, with what it takes over from earlier ones.

    Args:
        port: the first port that it exposes.
        healthcheck: the command of its ``HEALTHCHECK``, as one shell line.
        has_curl: whether curl is installed by one of its ``RUN`` lines.
    """

    port: int | None = None
    healthcheck: str | None = None
    has_curl: bool = False
    variables: dict[str, str] = field(default_factory=dict)


def read_dockerfile(text: str) -> Image:
    """The image that the file makes; lines that are not understood are passed over."""
    stages: dict[str, Image] = {}
    image = Image()
    for word, rest in instructions(text):
        if word == "FROM":
            image = from_stage(rest, stages, image.variables if not stages else {})
        elif word in ("ARG", "ENV"):
            image.variables |= assignments(rest)
        elif word == "EXPOSE" and image.port is None:
            image.port = port_of(rest, image.variables)
        elif word == "HEALTHCHECK":
            image.healthcheck = health_command(rest)
        elif word == "RUN":
            image.has_curl |= re.search(r"\bcurl\b", rest) is not None
    return image


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction in capitals with the rest of its line; continued lines are joined."""
    kept = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(kept).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word.upper(), " ".join(rest.split())


def from_stage(rest: str, stages: dict[str, Image], globals_: dict[str, str]) -> Image:
    """A new stage, which takes over what the stage it is made from has."""
    words = [word for word in rest.split() if not word.startswith("--")]
    parent = stages.get(words[0].lower(), Image(variables=globals_)) if words else Image()
    image = Image(
        port=parent.port,
        healthcheck=parent.healthcheck,
        has_curl=parent.has_curl,
        variables=dict(parent.variables),
    )
    if len(words) == 3 and words[1].lower() == "as":
        stages[words[2].lower()] = image
    return image


def assignments(rest: str) -> dict[str, str]:
    """``NAME=value`` pairs of ``ARG`` and ``ENV``."""
    return dict(re.findall(r"(\w+)=\"?([^\s\"]*)", rest, re.ASCII))


def port_of(rest: str, variables: dict[str, str]) -> int | None:
    """The first port of an ``EXPOSE``, with variables replaced by their defaults."""
    filled = VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", rest)
    found = re.match(r"(\d{1,5})(?:/tcp)?(?:\s|-|$)", filled.strip(), re.ASCII)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


def health_command(rest: str) -> str | None:
    """The command of a ``HEALTHCHECK``; ``NONE`` is no command."""
    _, found, command = rest.partition("CMD ")
    if not found:
        return None
    try:
        words = json.loads(command) if command.startswith("[") else None
    except ValueError:
        return None
    if isinstance(words, list):
        return shlex.join(str(word) for word in words)
    return command.strip() or None


def is_ignored(name: str, text: str) -> bool:
    """Whether a file in the folder of a build's context stays out of the image by a ``.dockerignore``.

    The last pattern that fits counts, ``!`` takes a file in again, and ``#`` begins a comment only as the first
    character of a line. Source: https://docs.docker.com/build/concepts/context/#dockerignore-files

    Args:
        name: of the file, which is in no folder below the context's.
        text: of the ``.dockerignore``.
    """
    ignored = False
    for line in text.removeprefix("\ufeff").splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        is_taken_in = pattern.startswith("!")
        path = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        if _ignoring(path).fullmatch(name):
            ignored = not is_taken_in
    return ignored


def _ignoring(pattern: str) -> re.Pattern[str]:
    """A pattern of Go's ``filepath.Match``, in which ``**`` is any number of folders; a wrong one fits nothing."""
    parts = (
        _IGNORE_PARTS.get(found[0]) or _class(found) or re.escape(found[0][-1]) for found in IGNORE.finditer(pattern)
    )
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return NEVER


def _class(found: re.Match[str]) -> str:
    inside = (found["inside"] or "").replace("[", r"\[")
    return f"[{found['negated'] or ''}{inside}]" if inside else ""
