"""Hosts, image and registry for ``kp init``, checked before a file is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kamal_pyinfra.config.image import LOOPBACK, PATH, split_domain
from kamal_pyinfra.errors import ConfigError

PLACEHOLDER_HOST = "192.0.2.10"
"""An address that no server has (RFC 5737)."""
HOST = re.compile(
    r"(?:(?P<user>[^@\s:/,]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@\s:/,\[\]]+)(?::(?P<port>\d{1,5}))?", re.ASCII
)
IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*", re.ASCII)
SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?", re.ASCII)
HUB = ("docker.io", "index.docker.io", "registry.hub.docker.com")
PLACEHOLDER_USER = "acme"


@dataclass(frozen=True, kw_only=True)
class Host:
    """One server, and how to connect if the user gave it."""

    name: str
    user: str | None = None
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Contents of deploy.yml besides those found in the folder.

    Args:
        registry: host of the registry; ``None`` for Docker Hub, or for none.
        username: there; ``None`` for the built-in registry.
        guesses: what the user did not give and must correct.
    """

    hosts: tuple[Host, ...]
    image: str
    registry: str | None = None
    username: str | None = None
    guesses: tuple[str, ...] = ()


def read_answers(
    service: str, *, hosts: Sequence[str], image: str | None, registry: str | None, username: str | None
) -> Answers:
    """Check the user's answers and fill the others with placeholders; a ConfigError has a line for each unusable one.

    ``image`` may begin with the registry's host, but ``registry`` wins. Without a registry and a user, none is wanted;
    the first part of the image's name is the user unless one is given.
    """
    domain, name = split_domain(image or service.strip("_-") or "app")
    server = (registry or domain).removeprefix("https://").rstrip("/") or None
    is_built_in = username is None and (server is None or LOOPBACK.fullmatch(server) is not None)
    server = None if server in HUB else server
    is_theirs = bool(username) and (image is None or (server is None and "/" not in name))
    known = username or (name.partition("/")[0] if "/" in name else None)
    missing = {"servers": not hosts, "user name at the registry": not is_built_in and known is None}
    answers = Answers(
        hosts=tuple(to_host(host) for host in hosts) or (Host(name=PLACEHOLDER_HOST),),
        image=f"{username.lower()}/{name}" if is_theirs and username else name,
        registry=server,
        username=None if is_built_in else known or PLACEHOLDER_USER,
        guesses=tuple(what for what, is_missing in missing.items() if is_missing),
    )
    problems = complaints(answers)
    if problems:
        raise ConfigError(*problems)
    return answers


def complaints(answers: Answers) -> list[str]:
    """Messages about what Docker would refuse."""
    found = []
    if not PATH.fullmatch(answers.image):
        found.append(f"--image: {answers.image!r} is no image; write [SERVER/]NAME in small letters, without a tag")
    if answers.registry is not None and not SERVER.fullmatch(answers.registry):
        found.append(f"--registry: {answers.registry!r} is no registry; write HOST or HOST:PORT")
    user = answers.username
    if user is not None and not (user.strip() and user.isprintable()):
        found.append("--username: is empty or has control characters")
    return found


def to_host(text: str) -> Host:
    """The server of ``[USER@]HOST[:PORT]``; raise ConfigError for other text."""
    if IPV6.fullmatch(text):
        return Host(name=text)
    found = HOST.fullmatch(text)
    if found is None or not found["host"].isprintable() or not 0 < int(found["port"] or 22) < 65536:
        raise ConfigError(f"--host: {text!r} is no server; write [USER@]HOST[:PORT]")
    port = int(found["port"]) if found["port"] else None
    return Host(name=found["host"].strip("[]"), user=found["user"], port=port)


def split_account(text: str) -> tuple[str | None, str | None]:
    """Registry and user of ``[SERVER/]USER``, or of a registry alone; a user alone is one of Docker Hub."""
    first, _, rest = text.strip().partition("/")
    is_server = first == "localhost" or "." in first or ":" in first
    return (first, rest or None) if is_server else (None, text.strip() or None)
