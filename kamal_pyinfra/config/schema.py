"""The JSON Schema of deploy.yml, for editors; made from the models, so that it is never behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kamal_pyinfra.config.model import Config

HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deploy.yml of kamal_pyinfra"}


def schema_text() -> str:
    """The whole schema as JSON."""
    whole = Config.model_json_schema(mode="validation")
    for node in nodes(whole):
        if "default" in node and node["default"] is None and "anyOf" in node:
            node["anyOf"] = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        if isinstance(node.get("default"), dict | list) or node.get("default", 0) is None:
            del node["default"]
    return json.dumps({**whole, **HEAD, "patternProperties": {"^x-": {}}}, indent=2) + "\n"


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)
