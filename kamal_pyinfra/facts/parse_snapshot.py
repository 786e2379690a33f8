"""The snapshot script's output → ObservedHost. Everything seen is kept, nothing is judged."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping

from kamal_pyinfra.facts.parse_container import parse_container, parse_image_defaults
from kamal_pyinfra.plan.observed import Docker, LockDetails, ObservedFile, ObservedHost, ObservedImage
from kamal_pyinfra.plan.record import parse_record

LOCK = re.compile(r"(?P<content>.*?)(?: (?P<left>-?[0-9]{1,12})?)?", re.ASCII | re.DOTALL)


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
    secrets = dict(text.split(" ", 1)[::-1] for text in rows.get("secrets", []))
    checks, file_checks = _checks(rows.get("check", [])), _checks(rows.get("file-check", []))
    edited = _edited(rows.get("edited", []))
    return ObservedHost(
        host=host,
        user="".join(rows.get("user", [])),
        home="".join(rows.get("home", [])),
        docker=_docker(rows),
        containers=tuple(
            parse_container(json.loads(text), secrets, checks, edited) for text in rows.get("container", [])
        ),
        images=tuple(_image(text) for text in rows.get("image", [])),
        directories=frozenset(rows.get("directory", [])),
        files=dict(_file(text, file_checks) for text in rows.get("file", [])),
        uploads=dict(_file(text, {}) for text in rows.get("upload", [])),
        cords=dict(_cord(text) for text in rows.get("cord", [])),
        assets=frozenset(rows.get("assets", [])),
        env_files=frozenset(rows.get("env-file", [])),
        image_defaults=dict(parse_image_defaults(json.loads(text)) for text in rows.get("image-defaults", [])),
        record=parse_record(rows["record"][0]) if "record" in rows else None,
        logged_in="login" in rows,
        lock=parse_lock(rows["lock"][0]) if "lock" in rows else None,
    )


def _docker(rows: Mapping[str, list[str]]) -> Docker:
    if "docker-missing" in rows:
        return Docker(installed=False)
    if "docker-error" in rows:
        return Docker(installed=True, error=rows["docker-error"][0].strip() or "no answer")
    return Docker(installed=True, version=rows["docker"][0])


def _edited(rows: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``NAME PATH`` rows as container → paths."""
    edited: dict[str, tuple[str, ...]] = {}
    for name, _, path in (text.partition(" ") for text in rows):
        edited[name] = (*edited.get(name, ()), path)
    return edited


def _checks(rows: Iterable[str]) -> dict[str, dict[str, int]]:
    """``NUMBER NAME OWNER`` rows as owner → name → number."""
    checks: dict[str, dict[str, int]] = {}
    for number, name, owner in (text.split(" ", 2) for text in rows):
        checks.setdefault(owner, {})[name] = int(number)
    return checks


def _image(text: str) -> ObservedImage:
    reference, _, identity = text.rpartition(" ")
    return ObservedImage(reference=reference, id=identity)


def _file(text: str, checks: Mapping[str, Mapping[str, int]]) -> tuple[str, ObservedFile]:
    digest, mode, path = text.split(" ", 2)
    return path, ObservedFile(digest=digest, mode=mode, checks=checks.get(path, {}))


def _cord(text: str) -> tuple[str, bool]:
    state, _, path = text.partition(" ")
    return path, state == "tied"


def parse_lock(text: str) -> LockDetails:
    """The lock as Kamal writes it, base64 of three lines, and its lease. An unreadable one is still a lock."""
    found = LOCK.fullmatch(text)
    content, left = (found["content"], found["left"]) if found else (text, None)
    try:
        lines = base64.b64decode(content, validate=True).decode(errors="replace").splitlines()
    except binascii.Error:
        lines = []
    fields = dict(line.partition(": ")[::2] for line in lines if ": " in line)
    return LockDetails(
        content=content,
        locked_by=fields.get("Locked by", "unknown"),
        version=fields.get("Version", "unknown"),
        message=fields.get("Message", ""),
        holder=fields.get("Holder", ""),
        command=fields.get("Command", ""),
        seconds_left=int(left) if left else None,
    )
