"""What ``docker inspect`` says of a container or an image, as values of the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kamal_pyinfra.plan.observed import ImageDefaults, ObservedContainer, Status
from kamal_pyinfra.plan.units import NANO

ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def parse_container(
    row: Mapping[str, Any],
    secrets: Mapping[str, str],
    checks: Mapping[str, Mapping[str, int]],
    edited: Mapping[str, tuple[str, ...]],
) -> ObservedContainer:
    """One container.

    Args:
        row: the fields of the snapshot's template.
        secrets: container id → digest of its secret variables.
        checks: container id → secret variable → number.
        edited: container name → files of its image that were changed since it was put into service.
    """
    healthcheck = row["healthcheck"] or {}
    log = row.get("log") or {}
    return ObservedContainer(
        id=row["id"],
        name=row["name"].removeprefix("/"),
        image=row["image"],
        image_id=row["image_id"],
        created=row["created"],
        started=row["started"],
        status=Status(row["status"]),
        health=row["health"],
        restarts=row["restarts"],
        labels=row["labels"] or {},
        env=dict(_variable(text) for text in row["env"] if text),
        secrets=secrets.get(row["id"]),
        edited=edited.get(row["name"].removeprefix("/"), ()),
        secret_checks=checks.get(row["id"], {}),
        mounts={mount["Destination"]: mount.get("Source", "") for mount in row["mounts"]},
        volumes={mount["Destination"]: _volume(mount) for mount in row["mounts"]},
        command=tuple(row["command"] or ()),
        ports={port: _bindings(bindings) for port, bindings in (row["ports"] or {}).items()},
        options={name: _values(name, value) for name, value in row.get("options", {}).items()},
        log_driver=log.get("Type", ""),
        log_options=log.get("Config") or {},
        health_command=_health_command(healthcheck),
        health_interval=(healthcheck.get("Interval") or 0) / NANO,
    )


def parse_image_defaults(row: Mapping[str, Any]) -> tuple[str, ImageDefaults]:
    """One image's id, and what its containers get from it."""
    return row["id"], ImageDefaults(
        env=frozenset(name for name in row["env"] if name),
        labels=row["labels"] or {},
        command=tuple(row["command"] or ()),
        health_command=_health_command(row["healthcheck"] or {}),
    )


def _health_command(healthcheck: Mapping[str, Any]) -> str | None:
    test = healthcheck.get("Test") or []
    return " ".join(test[1:]) if test and test[0] != "NONE" else None


def _variable(text: str) -> tuple[str, str | None]:
    name, separator, value = text.partition("=")
    return name, value if separator else None


def _volume(mount: Mapping[str, Any]) -> str:
    source = mount.get("Name") or mount.get("Source", "")
    if ANONYMOUS.fullmatch(source):
        return ""
    return source if mount.get("RW", True) else f"{source}:ro"


def _bindings(bindings: Iterable[Mapping[str, str]] | None) -> tuple[str, ...]:
    return tuple(f"{binding['HostIp']}:{binding['HostPort']}" for binding in bindings or ())


def _values(name: str, value: Any) -> tuple[object, ...]:
    """A field of inspect as the values that ``docker run`` would have been given."""
    if not value:
        return ()
    if name == "NanoCpus":
        return (f"{value / NANO:.9g}",)
    if name == "PortBindings":
        return tuple(f"{binding}:{port}" for port, bindings in value.items() for binding in _bindings(bindings))
    if name == "Ulimits":
        return tuple(f"{limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in value)
    return tuple(value) if isinstance(value, list) else (value,)
