"""A documented sample of each section of deploy.yml, written from the models."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kamal_pyinfra.config.accessory import Accessory
from kamal_pyinfra.config.builder import Builder
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.config.problems import did_you_mean
from kamal_pyinfra.config.registry import Registry
from kamal_pyinfra.config.sample_values import SERVERS, VALUES
from kamal_pyinfra.config.sections import Boot, Healthcheck, Logging, Ssh, Sshkit
from kamal_pyinfra.config.servers import RoleSection
from kamal_pyinfra.config.traefik import Traefik
from kamal_pyinfra.errors import ConfigError

WIDTH = 110

SECTIONS: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "accessory": (Accessory, ("accessories", "db")),
    "boot": (Boot, ("boot",)),
    "builder": (Builder, ("builder",)),
    "configuration": (Config, ()),
    "env": (Env, ("env",)),
    "healthcheck": (Healthcheck, ("healthcheck",)),
    "logging": (Logging, ("logging",)),
    "registry": (Registry, ("registry",)),
    "role": (RoleSection, ("servers", "web")),
    "servers": (RoleSection, ("servers",)),
    "ssh": (Ssh, ("ssh",)),
    "sshkit": (Sshkit, ("sshkit",)),
    "traefik": (Traefik, ("traefik",)),
}
"""What ``kp docs`` has a page for (Kamal 1.9), and where in the file it stands."""

PAGES = {name: name for name in SECTIONS} | {"accessories": "accessory"}
"""Where more is said of a key that holds a section."""

NOTHING = "# ..."


def sample(section: str = "configuration") -> str:
    """The documented sample of a section or of a single key of the file, as it could stand in deploy.yml.

    Raises:
        ConfigError: there is no such section; the message lists those there are.
    """
    section = PAGES.get(section, section)
    if section not in SECTIONS and section in Config.model_fields:
        return "\n".join(key(Config, section, 0)).rstrip() + "\n"
    if section not in SECTIONS:
        hint = did_you_mean(section, SECTIONS)
        raise ConfigError(f"no documentation for {section!r}{hint}; there is: {', '.join(SECTIONS)}")
    if section == "servers":
        return SERVERS
    model, path = SECTIONS[section]
    about = comment((model.__doc__ or "").splitlines()[0].replace("``", "`"), 0)
    parents = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    about += [] if path else [""]
    return "\n".join([*about, *parents, *keys(model, len(path))]).rstrip() + "\n"


def keys(model: type[BaseModel], depth: int) -> Iterator[str]:
    """The keys of a section, each below what it means."""
    for name in model.model_fields:
        yield from key(model, name, depth)


def key(model: type[BaseModel], name: str, depth: int) -> Iterator[str]:
    """A key of a section below what it means."""
    field = model.model_fields[name]
    value = VALUES.get(model.__name__, {}).get(name) or default_text(field)
    yield from comment(meaning(name, field, value), depth)
    yield from entry(name, value, depth)
    yield ""


def meaning(name: str, field: FieldInfo, value: str) -> str:
    """What a key means, whether it must be there, and its default where the sample shows another value."""
    default = default_text(field)
    said = [field.description or ""]
    if field.is_required():
        said.append("Required.")
    elif default not in (value, NOTHING, "", "{}", "[]"):
        said.append(f"Default: {default}.")
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-kamal") is False:
        said.append("Not in Kamal 1.9.")
    page = PAGES.get(name)
    if page is not None and value.startswith("\n"):
        said.append(f"More: `kp docs {page}`.")
    return " ".join(said)


def comment(text: str, depth: int) -> list[str]:
    """A text as comment lines."""
    prefix = "  " * depth + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def entry(name: str, value: str, depth: int) -> list[str]:
    """A key with its value, or as a comment."""
    indent = "  " * depth
    if value.startswith("#"):
        return [f"{indent}# {name}: {value.removeprefix('#').strip()}"]
    if value.startswith("\n"):
        return [f"{indent}{name}:", *textwrap.indent(value.lstrip("\n"), f"{indent}  ").splitlines()]
    return [f"{indent}{name}: {value}"]


def default_text(field: FieldInfo) -> str:
    """A default as YAML; for what has none, the empty value of its type."""
    value = None if field.is_required() else field.default
    if isinstance(value, BaseModel):
        return "{}"
    if value is None:
        return "{}" if any(issubclass(kind, BaseModel) for kind in kinds(field)) else NOTHING
    return value if isinstance(value, str) else json.dumps(value)


def kinds(field: FieldInfo) -> list[type]:
    """The classes that a key's value may be."""
    return [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
