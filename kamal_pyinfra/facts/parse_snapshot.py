"""The snapshot script's output → ObservedHost. Everything seen is kept, nothing is judged."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

from kamal_pyinfra.plan.observed import (
    Docker,
    LockDetails,
    ObservedContainer,
    ObservedFile,
    ObservedHost,
    ObservedImage,
    Status,
)

NANOSECONDS = 1_000_000_000


class SnapshotError(ValueError):
    """The output is cut short or not what the script prints."""


def parse_snapshot(host: str, output: Iterable[str]) -> ObservedHost:
    """One value from the lines of a snapshot.

    Args:
        host: the host's name in the configuration.
        output: the script's standard output, line by line.

    Raises:
        SnapshotError: the last line is missing, or a line cannot be read.
    """
    rows: dict[str, list[str]] = {}
    for line in output:
        kind, _, text = line.partition(" ")
        rows.setdefault(kind, []).append(text)
    if "end" not in rows:
        raise SnapshotError("the snapshot is cut short")
    try:
        return _observed_host(host, rows)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SnapshotError(f"the snapshot cannot be read: {error!r}") from error


def _observed_host(host: str, rows: Mapping[str, list[str]]) -> ObservedHost:
    return ObservedHost(
        host=host,
        user="".join(rows.get("user", [])),
        home="".join(rows.get("home", [])),
        docker=_docker(rows),
        containers=tuple(_container(json.loads(text)) for text in rows.get("container", [])),
        images=tuple(_image(text) for text in rows.get("image", [])),
        directories=frozenset(rows.get("directory", [])),
        files=dict(_file(text) for text in rows.get("file", [])),
        cords=dict(_cord(text) for text in rows.get("cord", [])),
        assets=frozenset(rows.get("assets", [])),
        logged_in="login" in rows,
        lock=parse_lock(rows["lock"][0]) if "lock" in rows else None,
    )


def _docker(rows: Mapping[str, list[str]]) -> Docker:
    if "docker-missing" in rows:
        return Docker(installed=False)
    if "docker-error" in rows:
        return Docker(installed=True, error=rows["docker-error"][0].strip() or "no answer")
    return Docker(installed=True, version=rows["docker"][0])


def _container(row: dict[str, Any]) -> ObservedContainer:
    healthcheck = row["healthcheck"] or {}
    test = healthcheck.get("Test") or []
    return ObservedContainer(
        id=row["id"],
        name=row["name"].removeprefix("/"),
        image=row["image"],
        image_id=row["image_id"],
        created=row["created"],
        status=Status(row["status"]),
        health=row["health"],
        restarts=row["restarts"],
        labels=row["labels"] or {},
        env=dict(_variable(text) for text in row["env"] if text),
        mounts={mount["Destination"]: mount.get("Source", "") for mount in row["mounts"]},
        command=tuple(row["command"] or ()),
        ports={port: _bindings(bindings) for port, bindings in (row["ports"] or {}).items()},
        health_command=" ".join(test[1:]) if test and test[0] != "NONE" else None,
        health_interval=(healthcheck.get("Interval") or 0) / NANOSECONDS,
    )


def _variable(text: str) -> tuple[str, str | None]:
    name, separator, value = text.partition("=")
    return name, value if separator else None


def _bindings(bindings: list[dict[str, str]] | None) -> tuple[str, ...]:
    return tuple(f"{binding['HostIp']}:{binding['HostPort']}" for binding in bindings or ())


def _image(text: str) -> ObservedImage:
    reference, _, identity = text.rpartition(" ")
    return ObservedImage(reference=reference, id=identity)


def _file(text: str) -> tuple[str, ObservedFile]:
    digest, mode, path = text.split(" ", 2)
    return path, ObservedFile(digest=digest, mode=mode)


def _cord(text: str) -> tuple[str, bool]:
    state, _, path = text.partition(" ")
    return path, state == "tied"


def parse_lock(text: str) -> LockDetails:
    """The lock as Kamal writes it: base64 of three lines. An unreadable one is still a lock."""
    try:
        lines = base64.b64decode(text, validate=True).decode(errors="replace").splitlines()
    except binascii.Error:
        lines = []
    fields = dict(line.partition(": ")[::2] for line in lines if ": " in line)
    return LockDetails(
        content=text,
        locked_by=fields.get("Locked by", "unknown"),
        version=fields.get("Version", "unknown"),
        message=fields.get("Message", ""),
        holder=fields.get("Holder", ""),
    )
