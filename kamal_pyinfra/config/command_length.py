"""What is too long for a command line: Linux limits an argument to 128 KiB, and a script of ours is one.

``docker run`` carries clear values, labels, options, volumes, the health check and the command of a container.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import TYPE_CHECKING

from kamal_pyinfra.config.values import Option

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config

LONGEST = 100_000
"""Bytes for all words of a container as they are sent; the rest of 131,072 is for the rest of the command."""

Steps = tuple[str | int, ...]


def long_values(config: Config) -> Iterator[tuple[Steps, str]]:
    """The largest word of each container that no host could be sent."""
    found: dict[Steps, None] = {}
    for words in containers(config):
        lengths = {steps: sent_length(text) for steps, text in words.items()}
        if sum(lengths.values()) > LONGEST:
            found[max(lengths, key=lambda each: lengths[each])] = None
    for steps in found:
        name, is_clear = steps[-1], steps[-2:-1] == ("clear",)
        what = f"with {name} the clear values" if is_clear else f"with {name} the words of `docker run`"
        yield (
            steps,
            f"too long: {what} of a container need more than the {LONGEST} bytes that fit on a command line; "
            f"{'pass it in a file' if is_clear else 'shorten it, or put it into a file'}",
        )


def containers(config: Config) -> Iterator[dict[Steps, str]]:
    """The words that each container's ``docker run`` carries, by the steps to them."""
    root: dict[Steps, str] = {("labels", name): f"{name}={value}" for name, value in config.labels.items()}
    root |= {("volumes", index): volume for index, volume in enumerate(config.volumes)}
    for role in config.roles:
        path: Steps = ("servers", role.name)
        own = {(*path, "labels", name): f"{name}={value}" for name, value in role.labels.items()}
        words = {**root, **own, **options(path, role.options), (*path, "cmd"): role.cmd or ""}
        check = (*path, "healthcheck", "cmd") if role.own_healthcheck else ("healthcheck", "cmd")
        words[check] = role.healthcheck.command if role.has_healthcheck else ""
        for server in role.servers:
            env = config.env_for(role.name, server.host).clear
            yield words | {place_of(config, f"servers/{role.name}/env", name): f"{name}={env[name]}" for name in env}
    for name, accessory in config.accessories.items():
        path = ("accessories", name)
        words = options(path, accessory.options) | {(*path, "cmd"): accessory.cmd or ""}
        words |= {(*path, "labels", key): f"{key}={value}" for key, value in accessory.labels.items()}
        words |= {(*path, "volumes", index): volume for index, volume in enumerate(accessory.volumes)}
        yield words | clear(path, accessory.env.clear)
    proxy: dict[Steps, str] = {
        ("traefik", "labels", key): f"{key}={value}" for key, value in config.traefik.labels.items()
    }
    proxy |= options(("traefik",), config.traefik.options) | options(("traefik",), config.traefik.args, "args")
    yield proxy | clear(("traefik",), config.traefik.env.clear)


def options(path: Steps, given: Mapping[str, Option], key: str = "options") -> dict[Steps, str]:
    """Options of a command line, each repeated for every item of a list."""
    return {
        (*path, key, name): " ".join(f"--{name} {item}" for item in (value if isinstance(value, tuple) else (value,)))
        for name, value in given.items()
    }


def clear(path: Steps, values: Mapping[str, str]) -> dict[Steps, str]:
    """The clear values of a section of its own."""
    return {(*path, "env", "clear", name): f"{name}={value}" for name, value in values.items()}


def sent_length(text: str) -> int:
    """How much of a command a word takes: it is quoted for the command, and the command for the login shell."""
    return len(quote(quote(f"--env {text}")).encode(errors="replace"))


def place_of(config: Config, path: str, name: str) -> Steps:
    """The steps to a value: in the container's own section, else in a tag's or the root one."""
    role = path.split("/")[1] if path.startswith("servers/") else None
    if role is None or (role in config.servers and name in config.servers[role].env.clear):
        return (*path.split("/"), "clear", name)
    tag = next((tag for tag, env in config.env.tags.items() if name in env.clear), None)
    return ("env", "clear", name) if tag is None or name in config.env.clear else ("env", "tags", tag, "clear", name)
