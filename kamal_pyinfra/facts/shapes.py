"""The JSON that the snapshot's templates print, with its types; anything else is not read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """An object of JSON; what it has besides is passed over."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class Healthcheck(Shape):
    """``Config.Healthcheck``."""

    test: list[str] | None = Field(None, alias="Test")
    interval: int | None = Field(None, alias="Interval")


class Mount(Shape):
    """One of ``Mounts``."""

    destination: str = Field(alias="Destination")
    source: str = Field("", alias="Source")
    name: str = Field("", alias="Name")
    is_writable: bool = Field(True, alias="RW")


class Binding(Shape):
    """One of ``HostConfig.PortBindings``."""

    address: str = Field(alias="HostIp")
    port: str = Field(alias="HostPort")


class Ulimit(Shape):
    """One of ``HostConfig.Ulimits``."""

    name: str = Field(alias="Name")
    soft: int = Field(alias="Soft")
    hard: int = Field(alias="Hard")


class LogConfig(Shape):
    """``HostConfig.LogConfig``."""

    type: str = Field("", alias="Type")
    config: dict[str, str] | None = Field(None, alias="Config")


class ImageRow(Shape):
    """What an image brings."""

    id: str
    env: list[str | None]
    labels: dict[str, str] | None
    command: list[str] | None
    healthcheck: Healthcheck | None


class ContainerRow(ImageRow):
    """A container."""

    name: str
    image: str
    image_id: str
    created: str
    started: str
    status: str
    health: str | None
    restarts: int
    mounts: list[Mount]
    ports: dict[str, list[Binding] | None] | None
    options: dict[str, Any] = {}
    log: LogConfig | None = None
