"""``docker inspect`` output becomes an ``ObservedContainer``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kamal_pyinfra.plan.docker_values import NANO
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, Status
from kamal_pyinfra.shell.host import NOT_LISTED

ANONYMOUS = re.compile(r"[0-9a-f]{64}")


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

    @property
    def volume(self) -> str:
        """As ``--volume`` takes what is mounted; empty for a volume without a name."""
        source = self.name or self.source
        return "" if ANONYMOUS.fullmatch(source) else source if self.is_writable else f"{source}:ro"


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

    @property
    def health_command(self) -> str | None:
        """The command of the health check, if there is one."""
        test = self.healthcheck and self.healthcheck.test
        return " ".join(test[1:]) if test and test[0] != "NONE" else None


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


PORTS = TypeAdapter(dict[str, list[Binding] | None])
ULIMITS = TypeAdapter(list[Ulimit])


def parse_container(
    text: str,
    secrets: Mapping[str, str],
    checks: Mapping[str, Mapping[str, int]],
    clear_checks: Mapping[str, Mapping[str, int]],
    edited: Mapping[str, tuple[str, ...]],
) -> ObservedContainer:
    """One container.

    Args:
        text: what the snapshot's template printed.
        secrets: container id → digest of its secret variables.
        checks: container id → secret variable → number.
        clear_checks: container id → clear variable → number.
        edited: container name → files of its image that were changed since it was put into service.

    Raises:
        ValueError: it is not what the template prints.
    """
    row = ContainerRow.model_validate_json(text)
    log, name = row.log or LogConfig(), row.name.removeprefix("/")
    interval = row.healthcheck.interval if row.healthcheck else None
    return ObservedContainer(
        id=row.id,
        name=name,
        image=row.image,
        image_id=row.image_id,
        created=row.created,
        started=row.started,
        status=Status(row.status),
        health=row.health,
        restarts=row.restarts,
        labels=row.labels or {},
        env=dict(_variable(text) for text in row.env if text),
        secrets=secrets.get(row.id),
        edited=tuple(path for path in edited.get(name, ()) if path != NOT_LISTED),
        are_edits_known=NOT_LISTED not in edited.get(name, ()),
        secret_checks=checks.get(row.id, {}),
        clear_checks=clear_checks.get(row.id, {}),
        mounts={mount.destination: mount.source for mount in row.mounts},
        volumes={mount.destination: mount.volume for mount in row.mounts},
        command=tuple(row.command or ()),
        ports={port: _bindings(bindings) for port, bindings in (row.ports or {}).items()},
        options={name: _values(name, value) for name, value in row.options.items()},
        log_driver=log.type,
        log_options=log.config or {},
        health_command=row.health_command,
        health_interval=(interval or 0) / NANO,
    )


def parse_image_defaults(text: str) -> tuple[str, ImageDefaults]:
    """One image's id, and what its containers get from it.

    Raises:
        ValueError: it is not what the template prints.
    """
    row = ImageRow.model_validate_json(text)
    return row.id, ImageDefaults(
        env=frozenset(name for name in row.env if name),
        labels=row.labels or {},
        command=tuple(row.command or ()),
        health_command=row.health_command,
    )


def _variable(text: str) -> tuple[str, str | None]:
    name, separator, value = text.partition("=")
    return name, value if separator else None


def _bindings(bindings: Iterable[Binding] | None) -> tuple[str, ...]:
    return tuple(f"{binding.address}:{binding.port}" for binding in bindings or ())


def _values(name: str, value: Any) -> tuple[object, ...]:
    """A field of inspect as the values that ``docker run`` would have been given."""
    match name:
        case _ if not value:
            return ()
        case "NanoCpus":
            return (f"{value / NANO:.9g}",)
        case "PortBindings":
            ports = PORTS.validate_python(value)
            return tuple(f"{binding}:{port}" for port, bindings in ports.items() for binding in _bindings(bindings))
        case "Ulimits":
            return tuple(f"{limit.name}={limit.soft}:{limit.hard}" for limit in ULIMITS.validate_python(value))
    return tuple(map(_value, value)) if isinstance(value, list) else (_value(value),)


def _value(value: Any) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no value of an option")
    return value
