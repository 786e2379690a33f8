"""The ``servers`` section: roles, their hosts and what is special about each."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Healthcheck, Logging, Options
from kamal_pyinfra.config.tree import Map, Scalar, Seq, place_of
from kamal_pyinfra.config.values import OURS, SECTION, FilledText, Flag, Int, Port, Text, problem

LIST_ROLE = "web"
"""The role that all hosts have when ``servers`` is a plain list (Kamal)."""

CONNECTION = frozenset({"user", "port", "key", "sudo"})
"""The settings of a host that say how it is reached."""


def to_host(text: str) -> str:
    """A name or address; user and port have keys of their own."""
    if re.search(r"[\s@/,]", text) or re.fullmatch(r"[^:]*:\d*", text):
        raise problem(f"{text!r} should be a name or an address; write `HOST: {{user: ..., port: ...}}` for more")
    return text


def one_or_many(value: object) -> object:
    """A single text is a list of one."""
    return value if isinstance(value, list | tuple | dict) else (value,)


TextOrTexts = Annotated[tuple[Text, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])]


class Server(BaseModel):
    """One host of a role: its name, its tags, and how to reach it when it differs from ``ssh``."""

    model_config = SECTION

    host: Annotated[FilledText, AfterValidator(to_host)] = Field(description="Name or address.")
    tags: TextOrTexts = Field(default=(), description="Tags, whose `env/tags` this host gets.")
    user: FilledText | None = Field(default=None, description="Remote user.", json_schema_extra=OURS)
    port: Port | None = Field(default=None, description="Remote port.", json_schema_extra=OURS)
    key: FilledText | None = Field(default=None, description="File with the private key.", json_schema_extra=OURS)
    sudo: Flag = Field(default=False, description="Run remote commands with sudo.", json_schema_extra=OURS)

    def joined_with(self, other: Server) -> Server:
        """The same host in another role: connection settings from whichever has them, and all tags."""
        settings = {name: getattr(other, name) for name in CONNECTION & other.model_fields_set}
        tags = tuple(dict.fromkeys((*self.tags, *other.tags)))
        return self.model_copy(update={**settings, "tags": tags})

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """All forms, for editors."""
        details: dict[str, Any] = handler(core_schema)
        del details["properties"]["host"], details["required"]
        entry = {"anyOf": [details, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        one_key = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": entry}
        return {"description": cls.__doc__, "anyOf": [{"type": "string"}, one_key]}

    @model_validator(mode="before")
    @classmethod
    def short_forms(cls, value: Any) -> Any:
        """``host``, ``host: tag``, ``host: [tag, …]`` or ``host: {user:, port:, key:, sudo:, tags:}``."""
        place = place_of(value)
        if isinstance(value, Scalar):
            return Map({"host": value}, value.place)
        if isinstance(value, str):
            return {"host": value}
        if isinstance(value, Seq):
            raise problem("should be a string or a hash")
        if not isinstance(value, Map) or place is None:
            return value
        if len(value) != 1:
            raise problem("multiple hosts found" if value else "should name a host")
        ((host, details),) = value.items()
        entry = details if isinstance(details, Map) else Map({"tags": details}, place)
        name = Scalar(host, host, details.place)
        return Map({"host": name, **entry}, place)


class RoleSection(BaseModel):
    """One role: its hosts, and what differs from the root's settings."""

    model_config = SECTION

    hosts: tuple[Server, ...] = Field(default=(), description="Hosts of the role.")
    traefik: Flag | None = Field(
        default=None, description="Whether the proxy routes to this role; true for the primary role only."
    )
    cmd: Text | None = Field(default=None, description="Command of the containers; the image's without it.")
    options: Options = Field(default={}, description="More options for `docker run`.")
    healthcheck: Healthcheck | None = Field(default=None, description="Laid over the root `healthcheck`.")
    logging: Logging | None = Field(default=None, description="Laid over the root `logging`.")
    labels: dict[str, Text] = Field(default={}, description="Labels of the containers, laid over the root's.")
    env: Env = Field(default=Env(), description="Environment, laid over the root `env`.")
    asset_path: Text | None = Field(default=None, description="Folder in the image, instead of the root's.")
    replicas: Int = Field(default=1, description="Containers on each of its hosts.", json_schema_extra=OURS)

    @model_validator(mode="before")
    @classmethod
    def list_form(cls, value: Any) -> Any:
        """A list is the hosts of a role without settings."""
        if isinstance(value, Seq):
            return Map({"hosts": value}, value.place)
        if isinstance(value, list | tuple):
            return {"hosts": value}
        if not isinstance(value, dict | RoleSection):
            raise problem("should be an array or a hash")
        return value


def to_roles(value: object) -> object:
    """A plain list of hosts is the role ``web``."""
    if isinstance(value, Seq):
        return Map({LIST_ROLE: value}, value.place)
    if isinstance(value, list | tuple):
        return {LIST_ROLE: value}
    if not isinstance(value, dict):
        raise problem("should be an array or a hash")
    return value


Servers = Annotated[
    dict[str, RoleSection],
    BeforeValidator(to_roles, json_schema_input_type=list[Server] | dict[str, RoleSection | list[Server]]),
]
