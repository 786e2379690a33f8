"""The section ``servers``: roles, their hosts, and the effective settings of a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationError, model_validator

from kamal_pyinfra.config import values
from kamal_pyinfra.config.document.tree import Map, Scalar, Seq
from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Healthcheck, Logging, Options
from kamal_pyinfra.config.values import FilledText, Flag, Section, Text, field, ours, parse_address, problem

LIST_ROLE = "web"
"""The role of all hosts in a plain list (Kamal)."""
SSH_PORT = 22
CONNECTION = frozenset({"user", "port", "key", "sudo"})
"""The settings of a host for its connection."""


def to_host(text: str) -> str:
    """The name by which a host is known: its name or address, and a port other than 22, as in ``[2001:db8::1]:2222``.

    Kamal 1.9 and ``ssh`` take ``[ssh://][user@]host[:port]``. Behind one address there may be several hosts.
    """
    address = parse_address(text)
    if address is None:
        raise problem(f"{text!r} should be a name or an address: HOST, USER@HOST, HOST:PORT or [IPV6]:PORT")
    if address.port in (None, SSH_PORT):
        return address.host
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def is_host(text: str) -> bool:
    """Whether text that came from a host or a file can be the name or address of a host."""
    try:
        return Server(host=text).host == text and text.isprintable() and not text.startswith("-")
    except ValidationError:
        return False


def one_or_many(value: object) -> object:
    """Take a single text as a list of one."""
    return value if isinstance(value, list | tuple | dict) else (value,)


TextOrTexts = Annotated[tuple[Text, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])]


class Server(Section):
    """One host of a role: its name, its tags, and how to reach it when it differs from ``ssh``."""

    host: Annotated[FilledText, AfterValidator(to_host)] = field("Name or address.", ...)
    tags: TextOrTexts = field("Tags, whose `env/tags` this host gets.", ())
    user: FilledText | None = ours("Remote user.")
    port: values.Port | None = ours("Remote port.")
    key: FilledText | None = ours("File with the private key.")
    sudo: Flag = ours("Run remote commands with sudo.", False)

    @property
    def address(self) -> str:
        """The name or address without a port, to connect to and for URLs."""
        parsed = parse_address(self.host)
        return parsed.host if parsed is not None else self.host

    def joined_with(self, other: Server) -> Server:
        """The same host in another role: connection settings from either, and all tags."""
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
        if isinstance(value, Seq):
            raise problem("should be a string or a hash")
        if isinstance(value, Map):
            if len(value) != 1:
                raise problem("multiple hosts found" if value else "should name a host")
            ((name, details),) = value.items()
            settings = details if isinstance(details, Map) else {"tags": details}
            value = {"host": Scalar(name, name, details.place), **settings}
        elif isinstance(value, str | Scalar):
            value = {"host": value}
        return _with_parts(value) if isinstance(value, dict) else value


def _with_parts(entry: dict[str, Any]) -> dict[str, Any]:
    """Add the user and the port that a host's name contains to its settings."""
    text = getattr(entry.get("host"), "text", entry.get("host"))
    address = parse_address(text) if isinstance(text, str) else None
    parts = {"user": address.user, "port": address.port} if address is not None else {}
    named = {key: value for key, value in parts.items() if value is not None}
    for key in named.keys() & entry.keys():
        if str(getattr(entry[key], "value", entry[key])) != str(named[key]):
            raise problem(f"{text!r} and `{key}:` contradict each other", at=entry["host"])
    return entry | named


def joined(servers: Iterable[Server]) -> tuple[Server, ...]:
    """Every host once, in their order."""
    hosts: dict[str, Server] = {}
    for server in servers:
        hosts[server.host] = hosts.get(server.host, server).joined_with(server)
    return tuple(hosts.values())


class RoleSection(Section):
    """One role: its hosts, and what differs from the root's settings."""

    hosts: tuple[Server, ...] = field("Hosts of the role.", ())
    traefik: Flag | None = field("Whether the proxy routes to this role; true for the primary role only.")
    cmd: Text | None = field("Command of the containers; the image's without it.")
    options: Options = field("More options for `docker run`.", {})
    healthcheck: Healthcheck | None = field("Laid over the root `healthcheck`.")
    logging: Logging | None = field("Laid over the root `logging`.")
    labels: dict[str, Text] = field("Labels of the containers, laid over the root's.", {})
    env: Env = field("Environment, laid over the root `env`.", Env())
    asset_path: Text | None = field("Folder in the image, instead of the root's.")
    replicas: values.Int = ours("Containers on each of its hosts.", 1)

    @model_validator(mode="before")
    @classmethod
    def list_form(cls, value: Any) -> Any:
        """Take a list as the hosts of a role without settings."""
        return value if isinstance(value, RoleSection) else _list_as("hosts", value)


def _list_as(key: str, value: object) -> object:
    """A list as the map ``{key: list}``; a map unchanged."""
    if isinstance(value, list | tuple):
        return {key: value}
    if not isinstance(value, dict):
        raise problem("should be an array or a hash")
    return value


Servers = Annotated[
    dict[str, RoleSection],
    BeforeValidator(
        partial(_list_as, LIST_ROLE), json_schema_input_type=list[Server] | dict[str, RoleSection | list[Server]]
    ),
]


@dataclass(frozen=True, kw_only=True)
class Role:
    """Hosts that run the image in the same way, with effective settings; ``labels`` are the role's own."""

    name: str
    servers: tuple[Server, ...]
    cmd: str | None
    labels: dict[str, str]
    options: Options
    running_traefik: bool  # whether the proxy routes to it
    healthcheck: Healthcheck  # effective; without the proxy only the role's own settings count
    own_healthcheck: bool  # whether the role itself sets cmd, port or path
    logging: Logging
    asset_path: str | None
    is_primary: bool
    replicas: int = 1

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Names of its hosts."""
        return frozenset(server.host for server in self.servers)

    @property
    def has_healthcheck(self) -> bool:
        """Whether its containers get a health check."""
        return (self.running_traefik or self.own_healthcheck) and bool(self.healthcheck.command.strip())

    @property
    def uses_cord(self) -> bool:
        """Whether a cord takes its containers out of traffic."""
        return self.running_traefik and self.has_healthcheck and self.healthcheck.cord is not None
