"""Documented samples and the JSON Schema of deploy.yml, generated from the models."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kamal_pyinfra.config.document.tree import did_you_mean, sections_in
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.errors import ConfigError

WIDTH = 110
ALONE = ("boot", "builder", "env", "healthcheck", "logging", "registry", "servers", "ssh", "sshkit", "traefik")
PATHS = {"accessory": ("accessories", "db"), "configuration": (), "role": ("servers", "web")}
SECTIONS: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    name: (next(sections_in(Config.model_fields[path[0]].annotation)) if path else Config, path)
    for name, path in sorted({**PATHS, **{name: (name,) for name in ALONE}}.items())
}
"""The pages of ``kp docs`` (Kamal 1.9), and the section's place in the file."""
PAGES = {name: name for name in SECTIONS} | {"accessories": "accessory"}
"""Pages about keys that hold a section."""
NOTHING = "# ..."
HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deploy.yml of kamal_pyinfra"}


def template(name: str) -> str:
    """Return the text of a file in ``templates/``."""
    return files("kamal_pyinfra.project").joinpath("templates", name).read_text("utf-8")


@cache
def values() -> dict[str, dict[str, str]]:
    """Return the sample of each key as text, by model, as ``templates/samples.yml`` has it.

    One of several lines begins with a line break, one that is shown as a comment with ``#``.
    """
    models: dict[str, dict[str, str]] = {}
    for line in template("samples.yml").splitlines():
        key = re.fullmatch(r"  (# )?(\w+):(?: (.*))?", line)
        if not line.startswith(" "):
            samples = models[line.rstrip(":")] = {}
        elif key:
            name = key[2]
            samples[name] = f"{key[1] or ''}{key[3] or ''}"
        else:
            samples[name] += f"\n{line[4:]}"
    return models


def sample(section: str = "configuration") -> str:
    """Return the documented sample of a section or a single key, as it could stand in deploy.yml.

    Raises ConfigError for an unknown section, with a list of all.
    """
    section = PAGES.get(section, section)
    if section not in SECTIONS and section in Config.model_fields:
        return "\n".join(_key(Config, section, 0)).rstrip() + "\n"
    if section not in SECTIONS:
        hint = did_you_mean(section, SECTIONS)
        raise ConfigError(f"no documentation for {section!r}{hint}; there is: {', '.join(SECTIONS)}")
    if section == "servers":
        return template("servers.yml")
    model, path = SECTIONS[section]
    about = _comment((model.__doc__ or "").splitlines()[0].replace("``", "`"), 0)
    lines = [*about, *(f"{'  ' * depth}{name}:" for depth, name in enumerate(path)), *([] if path else [""])]
    for name in model.model_fields:
        lines += _key(model, name, len(path))
    return "\n".join(lines).rstrip() + "\n"


def _key(model: type[BaseModel], name: str, depth: int) -> Iterator[str]:
    """Yield a key of a section below its meaning."""
    field = model.model_fields[name]
    value = values().get(model.__name__, {}).get(name) or _default(field)
    yield from _comment(_meaning(name, field, value), depth)
    indent = "  " * depth
    if value.startswith("#"):
        yield f"{indent}# {name}: {value.removeprefix('#').strip()}"
    elif value.startswith("\n"):
        yield from (f"{indent}{name}:", *textwrap.indent(value[1:], f"{indent}  ").splitlines())
    else:
        yield f"{indent}{name}: {value}"
    yield ""


def _meaning(name: str, field: FieldInfo, value: str) -> str:
    """Return a key's meaning, whether it is required, and its default where the sample shows another value."""
    default = _default(field)
    texts = [field.description or ""]
    if field.is_required():
        texts.append("Required.")
    elif default not in (value, NOTHING, "", "{}", "[]"):
        texts.append(f"Default: {default}.")
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-kamal") is False:
        texts.append("Not in Kamal 1.9.")
    if name in PAGES and value.startswith("\n"):
        texts.append(f"More: `kp docs {PAGES[name]}`.")
    return " ".join(texts)


def _comment(text: str, depth: int) -> list[str]:
    prefix = "  " * depth + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _default(field: FieldInfo) -> str:
    """Return a default as YAML; without one, the empty value of its type."""
    value = None if field.is_required() else field.default
    if isinstance(value, BaseModel):
        return "{}"
    if value is None:
        kinds = (field.annotation, *get_args(field.annotation))
        is_section = any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)
        return "{}" if is_section else NOTHING
    return value if isinstance(value, str) else json.dumps(value)


def schema_text() -> str:
    """Return the whole schema as JSON."""
    whole = Config.model_json_schema(mode="validation")
    for node in nodes(whole):
        if "default" in node and node["default"] is None and "anyOf" in node:
            node["anyOf"] = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        if isinstance(node.get("default"), dict | list) or node.get("default", 0) is None:
            del node["default"]
    return json.dumps({**whole, **HEAD, "patternProperties": {"^x-": {}}}, indent=2) + "\n"


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)
