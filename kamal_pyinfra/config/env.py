"""The ``env`` sections, and the text of a Docker env file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, SecretStr, WrapValidator, model_validator

from kamal_pyinfra.config.document.tree import Map, Scalar
from kamal_pyinfra.config.values import SECTION, Text, problem
from kamal_pyinfra.errors import ConfigError

UNUSABLE_NAME = re.compile(r"[\s=\0]|\A#|\A\Z")


def usable_name(name: str) -> str:
    """A name that Docker takes from an env file as it is."""
    if UNUSABLE_NAME.search(name):
        raise problem("is no name for an environment variable (no spaces, no `=`, no `#` at the start)")
    return name


class HostText(str):
    """A value that the host's shell reads only in part: what came in by a tag of ERB stays as it is.

    Args:
        parts: the value in pieces, by turns written in the file and put there from a variable, a file or git.
    """

    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> HostText:
        """The value of its pieces."""
        text = cls("".join(parts))
        text.parts = parts
        return text


def pieces(value: str) -> tuple[str, ...]:
    """A value in pieces, by turns written in the file and put there; a plain text was written."""
    return value.parts if isinstance(value, HostText) else (value,)


def is_for_host(value: str) -> bool:
    """Whether the host's shell may expand something of a value, so that nothing else knows what it becomes."""
    return any("${" in part for part in pieces(value)[::2])


def _in_pieces(value: object, text: Callable[[object], str]) -> str:
    plain = text(value)
    return HostText.of(value.parts) if isinstance(value, Scalar) and value.parts else plain


Name = Annotated[Text, AfterValidator(usable_name)]

Clear = Annotated[Text, WrapValidator(_in_pieces)]


class Env(BaseModel):
    """Environment of containers: a map of names and values, or ``clear``, ``secret`` and ``tags``."""

    model_config = SECTION

    clear: dict[Name, Clear] = Field(
        default={},
        description="Values as they are. `${VAR}` is left for the shell of the host, as in Kamal; what a tag such as "
        '`<%= ENV["NAME"] %>` brings in is not.',
    )
    secret: tuple[Name, ...] = Field(
        default=(), description="Names of variables whose values come from the environment or from `.env`."
    )
    tags: dict[str, Env] = Field(
        default={}, description="Environment for the hosts that carry a tag; only in the root `env`."
    )

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
        """A map without any of our keys is all clear values."""
        if not isinstance(value, dict) or value.keys() & cls.model_fields.keys():
            return value
        return Map({"clear": value}, value.place) if isinstance(value, Map) else {"clear": value}


@dataclass(frozen=True, kw_only=True)
class EffectiveEnv:
    """What one container gets after root, role and tags were joined.

    Args:
        clear: names and values, root first.
        secret: names of secrets; none of them is in ``clear``.
    """

    clear: dict[str, str]
    secret: tuple[str, ...]


def join_env(layers: Iterable[Env]) -> EffectiveEnv:
    """Later clear values win, secrets add up; a clear value wins over a secret, as in ``docker run``."""
    clear: dict[str, str] = {}
    secret: dict[str, None] = {}
    for layer in layers:
        clear |= layer.clear
        secret |= dict.fromkeys(layer.secret)
    return EffectiveEnv(clear=clear, secret=tuple(name for name in secret if name not in clear))


LONGEST_LINE = 65_535
"""Docker reads the file with Go's bufio.Scanner, whose buffer of 64 KiB has to hold the line break too."""


def env_file_problem(name: str, value: SecretStr) -> str | None:
    """Why Docker could not read a value back as it is; ``None`` when it can."""
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
    """The whole file, as secret as its values; without any it is a single line break, as in Kamal.

    Raises:
        ConfigError: a value would not come out as it went in; a line break could even add a variable.
    """
    complaints = {name: env_file_problem(name, value) for name, value in values.items()}
    problems = [f"{name} {complaint}" for name, complaint in complaints.items() if complaint is not None]
    if problems:
        raise ConfigError(*problems)
    lines = [f"{name}={value.get_secret_value()}\n" for name, value in values.items()]
    return SecretStr("".join(lines) or "\n")
