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
Ports = dict[str, list[dict[str, str]] | None]
"""``HostConfig.PortBindings``: lists of ``HostIp`` and ``HostPort``."""
PORTS = TypeAdapter(Ports)
Checks = Mapping[str, Mapping[str, int]]


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
    ports: Ports | None
    options: dict[str, Any] = {}
    log: LogConfig | None = None


def parse_container(
    text: str, secrets: Mapping[str, str], checks: Checks, clear_checks: Checks, edited: Mapping[str, tuple[str, ...]]
) -> ObservedContainer:
    """One container of what the snapshot's template printed; raise ValueError if it is something else.

    By its id there are: the digest of its ``secrets``, and numbers of secret (``checks``) and other variables
    (``clear_checks``). By its name: files of its image that were ``edited`` since it was put into service.
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
        env={
            name: value if equals else None for name, equals, value in (text.partition("=") for text in row.env if text)
        },
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
    """One image's id, and what its containers get from it; raise ValueError if the template does not print such."""
    row = ImageRow.model_validate_json(text)
    return row.id, ImageDefaults(
        env=frozenset(name for name in row.env if name),
        labels=row.labels or {},
        command=tuple(row.command or ()),
        health_command=row.health_command,
    )


def _bindings(bindings: Iterable[Mapping[str, str]] | None) -> tuple[str, ...]:
    return tuple(f"{binding['HostIp']}:{binding['HostPort']}" for binding in bindings or ())


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
            return tuple(f"{limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in value)
    values = value if isinstance(value, list) else [value]
    if wrong := [each for each in values if not isinstance(each, str | int | float)]:
        raise ValueError(f"{wrong[0]!r} is no value of an option")
    return tuple(values)
