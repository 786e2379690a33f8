"""As much of Go's templates as our formats use, so that they are tried on what Docker really returns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\(|\)|[^\s()]+')

Node = tuple[str, str, list[Any], list[Any]]


def render(template: str, data: object) -> str:
    """The text that ``docker inspect --format`` prints for one object."""
    nodes, rest = _parse(iter(TOKEN.split(template)), is_text=True)
    assert rest == ""
    return _text(nodes, data, {})


def _parse(parts: Iterator[str], *, is_text: bool) -> tuple[list[Node], str]:
    nodes: list[Node] = []
    for part in parts:
        if is_text:
            nodes.append(("text", part, [], []))
            is_text = False
            continue
        is_text = True
        kind, _, rest = part.strip().partition(" ")
        if kind in ("end", "else"):
            return nodes, kind
        if kind in ("if", "range"):
            body, stop = _parse(parts, is_text=True)
            other = _parse(parts, is_text=True)[0] if stop == "else" else []
            nodes.append((kind, rest, body, other))
        elif kind.startswith("$") and rest.startswith(":= "):
            nodes.append(("set", f"{kind} {rest.removeprefix(':= ')}", [], []))
        else:
            nodes.append(("show", part, [], []))
    return nodes, ""


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(nodes: list[Node], dot: object, names: dict[str, object]) -> str:
    texts = []
    for kind, source, body, other in nodes:
        if kind == "text":
            texts.append(source)
        elif kind == "show":
            texts.append(_shown(_value(source, dot, names)))
        elif kind == "set":
            name, _, expression = source.partition(" ")
            names[name] = _value(expression, dot, names)
        elif kind == "if":
            texts.append(_text(body if _value(source, dot, names) else other, dot, names))
        else:
            texts += _repeated(source, body, dot, names)
    return "".join(texts)


def _repeated(source: str, body: list[Node], dot: object, names: dict[str, object]) -> list[str]:
    """``range PIPELINE``, or ``range $key, $value := PIPELINE``."""
    variables, found, expression = source.partition(" := ")
    value: Any = _value(expression if found else source, dot, names)
    keys = list(value) if isinstance(value, dict) else list(range(len(value or ())))
    named = [name.strip() for name in variables.split(",")] if found else []
    return [
        _text(body, item, names | dict(zip(named, (key, item), strict=False)))
        for key, item in zip(keys, _items(value), strict=True)
    ]


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value or ())


def _value(expression: str, dot: object, names: dict[str, object]) -> Any:
    return _call(iter(WORD.findall(expression)), dot, names)


def _call(words: Iterator[str], dot: object, names: dict[str, object]) -> Any:
    values: list[Any] = []
    for word in words:
        if word == ")":
            break
        values.append(_call(words, dot, names) if word == "(" else _operand(word, dot, names))
    first, *arguments = values
    return first(*arguments) if callable(first) else first


def _operand(word: str, dot: Any, names: dict[str, object]) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if word.startswith("$"):
        return names[word]
    if word.startswith("."):
        for key in filter(None, word.split(".")):
            dot = dot.get(key)
        return dot
    return int(word) if word.isdigit() else FUNCTIONS[word]


def _as_json(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


FUNCTIONS: dict[str, Any] = {
    "json": _as_json,
    "split": lambda text, separator: text.split(separator),
    "index": lambda value, key: value[key] if isinstance(value, list) else (value or {}).get(key, ""),
    "println": lambda value="": f"{value}\n",
    "eq": lambda value, *others: value in others,
    "ne": lambda value, other: value != other,
    "gt": lambda value, other: value > other,
    "len": len,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "printf": lambda text, value: value.encode().hex() if text == "%x" else text.replace("%s", value),
}
