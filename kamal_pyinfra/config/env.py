"""The ``env`` sections: what containers get as environment, in the clear or as secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator

from kamal_pyinfra.config.tree import Map
from kamal_pyinfra.config.values import SECTION, Text, problem

UNUSABLE_NAME = re.compile(r"[\s=\0]|\A#|\A\Z")


def usable_name(name: str) -> str:
    """A name that Docker takes from an env file as it is."""
    if UNUSABLE_NAME.search(name):
        raise problem("is no name for an environment variable (no spaces, no `=`, no `#` at the start)")
    return name


Name = Annotated[Text, AfterValidator(usable_name)]


class Env(BaseModel):
    """Environment of containers: a map of names and values, or ``clear``, ``secret`` and ``tags``."""

    model_config = SECTION

    clear: dict[Name, Text] = Field(
        default={}, description="Values as they are. `${VAR}` is left for the shell of the host, as in Kamal."
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
