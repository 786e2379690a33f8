"""Write configuration.md and deploy.schema.json of docs/reference/ from the models of ``kamal_pyinfra.config``.

``--check`` writes nothing and exits 1 when a file is not what it would be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generated import write_or_check
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kamal_pyinfra.config import Accessory, Config, Server
from kamal_pyinfra.config.accessory import Mount
from kamal_pyinfra.config.document.tree import sections_in
from kamal_pyinfra.config.servers import RoleSection
from kamal_pyinfra.project.reference import nodes, schema_text

DOCS = Path(__file__).parent.parent / "docs/reference"
PLACEHOLDERS = {"servers": "ROLE", "accessories": "NAME", "tags": "TAG"}
TEXT = {"string", "integer", "number", "boolean"}
NOTES: dict[type[BaseModel], str] = {
    RoleSection: "A role may also be just the list of its hosts, and `servers` just the list of the hosts of "
    "role `web`.",
    Server: "A host is written as `HOST`, `HOST: TAG`, `HOST: [TAG, ...]` or `HOST: {KEY: VALUE, ...}` with:",
    Accessory: "Exactly one of `host`, `hosts` and `roles` says where it runs.",
}
HEAD = """\
# Configuration

<!-- Written by scripts/config_reference.py from the models; do not edit. -->

`config/deploy.yml`, as Kamal 1.9 reads it, plus a few keys of ours (marked). `kp docs SECTION` prints a sample
of a section. For editors with a YAML language server `kp init` writes the JSON Schema beside the file, and names it
in the first line: `# yaml-language-server: $schema=./deploy.schema.json`.

- **Destinations.** `-d staging` also reads `config/deploy.staging.yml` and lays it over the main file: maps
  merge key by key, everything else is replaced.
- **Variables.** `.env.DESTINATION` and `.env` of the working directory are read; what is set in the
  environment wins over both. `${NAME}`, `<%= ENV["NAME"] %>` and `<%= ENV.fetch("NAME", "default") %>` are
  replaced by the variable's value, which can never change the structure of the file. In values of `env`
  sections `${NAME}` is left for the shell of the host, as in Kamal; one that is part of what a tag brings in stays as
  it is (Kamal has the host expand that too). Elsewhere `$${NAME}` is a literal `${NAME}`.
  Other ERB is refused, with the way out.
- **Text** may be written as text, number or boolean and stays as it was written: `1.10` is not `1.1`.
- **Secrets** are named in deploy.yml and have their values in the environment or in an `.env` file.
- **Problems** are all reported at once, before any host is contacted, as `FILE:LINE:COLUMN path: message`.
- Root keys that begin with `x-` are ignored; use them for YAML anchors.
"""


def sections() -> dict[type[BaseModel], list[str]]:
    """Every model with the places where it is used, in the order of the file."""
    found: dict[type[BaseModel], list[str]] = {}
    queue: list[tuple[type[BaseModel], str]] = [(Config, "")]
    while queue:
        model, path = queue.pop(0)
        if model not in found:
            queue += below(model, path)
        found.setdefault(model, []).append(path)
    return found


def below(model: type[BaseModel], path: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The sections in a section."""
    for name, field in model.model_fields.items():
        for section in dict.fromkeys(sections_in(field.annotation)):
            if section is not Mount:
                yield section, ".".join(filter(None, (path, name, PLACEHOLDERS.get(name))))


def type_words(schema: dict[str, Any]) -> str:
    """A JSON Schema in words."""
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return any_of_words(schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_words(schema['items'])}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"map of {type_words(values)}" if isinstance(values, dict) else "map"
    return str(schema["type"]).replace("string", "text")


def link(model_name: str) -> str:
    """A link to a section, by the first of its places."""
    path = next(paths[0] for model, paths in sections().items() if model.__name__ == model_name)
    return f"[{path}](#{path.lower().replace('.', '')})"


def any_of_words(choices: list[dict[str, Any]]) -> str:
    """Alternatives in words; whatever can be written as text is text."""
    kinds = {choice.get("type") for choice in choices if "enum" not in choice and "const" not in choice}
    shown = [choice for choice in choices if choice.get("type") != "null"]
    if kinds >= TEXT:
        rest = [type_words(choice) for choice in shown if choice.get("type") not in TEXT]
        return " or ".join(["text", *rest])
    return " or ".join(dict.fromkeys(type_words(choice) for choice in shown))


def default_words(field: FieldInfo) -> str:
    """The default as it would be written, nothing for empty ones."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ({}, ()) or isinstance(value, BaseModel):
        return ""
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def is_ours(field: FieldInfo) -> bool:
    """Whether Kamal 1.9 does not know a key."""
    return isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-kamal") is False


def table(model: type[BaseModel]) -> Iterator[str]:
    """The keys of a section."""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    properties = properties_of(model)
    for name, field in model.model_fields.items():
        if name in properties:
            mark = " *(ours)*" if is_ours(field) else ""
            words = type_words(properties[name])
            yield f"| `{name}` | {words} | {default_words(field)} | {field.description}{mark} |"


def properties_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of each key."""
    whole = model.model_json_schema(mode="validation")
    found = [node["properties"] for node in nodes(whole) if node.get("title") == model.__name__]
    properties: dict[str, Any] = found[0]
    return properties


def markdown() -> str:
    """The text of docs/reference/configuration.md."""
    lines = [HEAD]
    for model, paths in sections().items():
        others = ", ".join(f"`{path}`" for path in paths[1:])
        about = [(model.__doc__ or "").splitlines()[0].replace("``", "`")]
        about += [f"Also at {others}." if others else "", NOTES.get(model, "")]
        lines += [f"## {paths[0] or 'Root keys'}", "", " ".join(filter(None, about)), ""]
        lines += [*table(model), ""]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write or check what is generated."""
    return write_or_check(
        {DOCS / "configuration.md": markdown(), DOCS / "deploy.schema.json": schema_text()}, arguments
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
