"""The ``env`` sections, and the text of a Docker env file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, SecretStr, WrapValidator, model_validator

from kamal_pyinfra.config.document.tree import Scalar
from kamal_pyinfra.config.values import Section, Text, field, problem
from kamal_pyinfra.errors import ConfigError

UNUSABLE_NAME = re.compile(r"[\s=\0]|\A#|\A\Z")
LONGEST_LINE = 65_535
"""Docker reads the file with Go's bufio.Scanner, whose buffer of 64 KiB has to hold the line break too."""


def usable_name(name: str) -> str:
    """Accept a name that Docker takes from an env file unchanged."""
    if UNUSABLE_NAME.search(name):
        raise problem("is no name for an environment variable (no spaces, no `=`, no `#` at the start)")
    return name


class HostText(str):
    """Text of parts, alternately written in the file (a host's shell expands these) and inserted by tags of ERB."""

    parts: tuple[str, ...]

    def __new__(cls, *parts: str) -> Self:
        """Join parts into a value."""
        text = super().__new__(cls, "".join(parts))
        text.parts = parts
        return text


def pieces(value: str) -> tuple[str, ...]:
    """Parts of a value, alternately written and inserted; plain text is one written part."""
    return value.parts if isinstance(value, HostText) else (value,)


def is_for_host(value: str) -> bool:
    """Whether the host's shell may expand part of a value, so that its final text is unknown before."""
    return any("${" in part for part in pieces(value)[::2])


def _in_pieces(value: object, text: Callable[[object], str]) -> str:
    plain = text(value)
    return HostText(*value.parts) if isinstance(value, Scalar) and value.parts else plain


Name = Annotated[Text, AfterValidator(usable_name)]
Clear = Annotated[Text, WrapValidator(_in_pieces)]


class Env(Section):
    """Environment of containers: a map of names and values, or ``clear``, ``secret`` and ``tags``."""

    clear: dict[Name, Clear] = field(
        "Values as they are. `${VAR}` is left for the shell of the host, as in Kamal; what a tag such as "
        '`<%= ENV["NAME"] %>` brings in is not.',
        {},
    )
    secret: tuple[Name, ...] = field("Names of variables whose values come from the environment or from `.env`.", ())
    tags: dict[str, Env] = field("Environment for the hosts that carry a tag; only in the root `env`.", {})

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Both forms, for editors."""
        simple = {
            "type": "object",
            "propertyNames": {"not": {"enum": list(cls.model_fields)}},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        }
        return {"description": cls.__doc__, "anyOf": [handler(core_schema), simple]}

    @model_validator(mode="before")
    @classmethod
    def simple_form(cls, value: Any) -> Any:
        """Take a map without any of the section's keys as clear values."""
        is_simple = isinstance(value, dict) and not value.keys() & cls.model_fields.keys()
        return {"clear": value} if is_simple else value


def join_env(*layers: Env) -> Env:
    """Join environments: later clear values win, secrets add up, a clear value wins over a secret (``docker run``)."""
    clear: dict[str, str] = {}
    secret: dict[str, None] = {}
    for layer in layers:
        clear |= layer.clear
        secret |= dict.fromkeys(layer.secret)
    return Env.model_construct(clear=clear, secret=tuple(name for name in secret if name not in clear))


def env_file_problem(name: str, value: SecretStr) -> str | None:
    """Why Docker could not read a value back unchanged; ``None`` if it can."""
    text = value.get_secret_value()
    if "\n" in text or "\r" in text:
        return (
            "holds a line break, which a Docker env file cannot carry; in single quotes in .env "
            rf"({name}='one\ntwo') each `\n` stays these two characters, as Kamal hands it over; "
            "or store it encoded (base64)"
        )
    if "\0" in text:
        return "holds a NUL character, which no environment can carry"
    try:
        length = len(f"{name}={text}".encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if length > LONGEST_LINE:
        return f"is longer than the {LONGEST_LINE} bytes that a line of a Docker env file may have; pass it in a file"
    return None


def env_file_text(values: Mapping[str, SecretStr]) -> SecretStr:
    """The whole file; a single line break without values, as in Kamal.

    Raises ConfigError for a value that Docker would not read back unchanged: a line break could even add a variable.
    """
    complaints = {name: env_file_problem(name, value) for name, value in values.items()}
    problems = [f"{name} {complaint}" for name, complaint in complaints.items() if complaint is not None]
    if problems:
        raise ConfigError(*problems)
    lines = [f"{name}={value.get_secret_value()}\n" for name, value in values.items()]
    return SecretStr("".join(lines) or "\n")
