"""What is too long for a command line: ``docker run`` carries clear values, and Linux limits an argument to 128 KiB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config

LONGEST = 100_000
"""Bytes for all clear values of a container as they are sent; the rest of 131,072 is for the rest of the command."""


def long_values(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """The largest value of each environment that no host could be sent."""
    found = {}
    for path, clear in environments(config):
        if sum(sent_length(name, value) for name, value in clear.items()) > LONGEST:
            name = max(clear, key=lambda each: sent_length(each, clear[each]))
            found[place_of(config, path, name)] = name
    for steps, name in found.items():
        yield (
            steps,
            f"too long: with {name} the clear values of a container need more than the {LONGEST} bytes that fit on a "
            "command line; pass it in a file",
        )


def environments(config: Config) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The clear values that one container gets, with the path of its own section."""
    for role in config.roles:
        for server in role.servers:
            yield f"servers/{role.name}/env", config.env_for(role.name, server.host).clear
    yield from ((f"accessories/{name}/env", accessory.env.clear) for name, accessory in config.accessories.items())
    yield "traefik/env", config.traefik.env.clear


def sent_length(name: str, value: str) -> int:
    """How much of a command a value takes: it is quoted for the command, and the command for the login shell."""
    return len(quote(quote(f"--env {name}={value}")).encode(errors="replace"))


def place_of(config: Config, path: str, name: str) -> tuple[str, ...]:
    """The steps to a value: in the container's own section, else in a tag's or the root one."""
    role = path.split("/")[1] if path.startswith("servers/") else None
    if role is None or (role in config.servers and name in config.servers[role].env.clear):
        return (*path.split("/"), "clear", name)
    tag = next((tag for tag, env in config.env.tags.items() if name in env.clear), None)
    return ("env", "clear", name) if tag is None or name in config.env.clear else ("env", "tags", tag, "clear", name)
