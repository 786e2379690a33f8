"""The ``accessories`` section: databases and other containers that live longer than a deploy."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_serializer, model_validator

from kamal_pyinfra.config.env import Env
from kamal_pyinfra.config.sections import Options
from kamal_pyinfra.config.servers import Server
from kamal_pyinfra.config.values import SECTION, FilledText, Text, problem, to_text


class Mount(BaseModel):
    """One entry of ``files`` or ``directories``: ``source:target[:mode]``."""

    model_config = SECTION

    source: str
    target: str
    mode: str | None = None

    @model_serializer
    def as_text(self) -> str:
        """The entry as it was written."""
        return str(self)

    def __str__(self) -> str:
        return ":".join(part for part in (self.source, self.target, self.mode) if part is not None)


def to_mount(value: object) -> object:
    """Split ``source:target[:mode]``; the mode is passed on to Docker."""
    if isinstance(value, Mount):
        return value
    source, _, rest = to_text(value).partition(":")
    target, colon, mode = rest.partition(":")
    if not source or not target or (colon and not mode):
        raise problem("should be SOURCE:TARGET or SOURCE:TARGET:MODE")
    return Mount(source=source, target=target, mode=mode or None)


Mounts = tuple[Annotated[Mount, BeforeValidator(to_mount, json_schema_input_type=str)], ...]


class Accessory(BaseModel):
    """A container beside the app that lives longer than a deploy, such as a database."""

    model_config = SECTION

    service: FilledText | None = Field(default=None, description="Name; `SERVICE-NAME` without it.")
    image: FilledText = Field(description="Image.")
    host: Server | None = Field(default=None, description="The host that runs it.")
    hosts: tuple[Server, ...] | None = Field(default=None, description="The hosts that run it.")
    roles: tuple[Text, ...] | None = Field(default=None, description="Roles whose hosts run it.")
    port: FilledText | None = Field(default=None, description="Published port: `N`, `HOST:N` or `IP:HOST:N`.")
    cmd: Text | None = Field(default=None, description="Command; the image's without it.")
    labels: dict[str, Text] = Field(default={}, description="Labels of the container.")
    options: Options = Field(default={}, description="More options for `docker run`.")
    env: Env = Field(default=Env(), description="Environment.")
    files: Mounts = Field(default=(), description="Files to upload and mount, as `local:container[:mode]`.")
    directories: Mounts = Field(default=(), description="Folders to create and mount, as `host:container[:mode]`.")
    volumes: tuple[Text, ...] = Field(default=(), description="Volumes, as `docker run --volume` takes them.")

    @model_validator(mode="before")
    @classmethod
    def one_kind_of_host(cls, value: Any) -> Any:
        """Exactly one of ``host``, ``hosts`` and ``roles`` says where it runs."""
        if isinstance(value, dict) and len(value.keys() & {"host", "hosts", "roles"}) != 1:
            raise problem("specify one of `host`, `hosts` or `roles`", at=value)
        return value

    @property
    def publish(self) -> str | None:
        """The port as ``docker run --publish`` takes it."""
        if self.port is None or ":" in self.port:
            return self.port
        return f"{self.port}:{self.port}"
