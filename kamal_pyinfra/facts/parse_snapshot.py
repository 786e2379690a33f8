"""The snapshot script's output → ObservedHost. Everything seen is kept, nothing is judged."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from kamal_pyinfra.facts.parse_container import parse_container, parse_image_defaults
from kamal_pyinfra.facts.rows import Rows, SnapshotError
from kamal_pyinfra.plan.observed import Docker, LockDetails, ObservedFile, ObservedHost, ObservedImage
from kamal_pyinfra.plan.record import parse_record

WHOLE = re.compile(r"-?[0-9]{1,12}", re.ASCII)
LOCK = re.compile(r"(?P<content>.*?)(?: (?P<left>-?[0-9]{1,12})?)?", re.ASCII | re.DOTALL)


def parse_snapshot(host: str, output: Iterable[str]) -> ObservedHost:
    """One value from the lines of a snapshot.

    Args:
        host: the host's name in the configuration.
        output: the script's standard output, line by line.

    Raises:
        SnapshotError: the last line is missing, or a line cannot be read.
    """
    rows = Rows("the snapshot", output)
    secrets = dict(rows.read("secrets", _secret))
    checks, file_checks = _checks(rows.read("check", _check)), _checks(rows.read("file-check", _check))
    clear = _checks(rows.read("clear-check", _check))
    edited = _edited(rows.texts("edited"))
    return ObservedHost(
        host=host,
        user=rows.text("user"),
        home=rows.text("home"),
        docker=_docker(rows),
        containers=tuple(rows.read("container", lambda text: parse_container(text, secrets, checks, clear, edited))),
        images=tuple(map(_image, rows.texts("image"))),
        directories=frozenset(rows.texts("directory")),
        files=dict(rows.read("file", lambda text: _file(text, file_checks))),
        uploads=dict(rows.read("upload", lambda text: _file(text, {}))),
        cords=dict(map(_cord, rows.texts("cord"))),
        assets=frozenset(rows.texts("assets")),
        env_files=frozenset(rows.texts("env-file")),
        image_times=dict(map(_image_time, rows.texts("image-age"))),
        now=_number(rows.first("now") or ""),
        image_defaults=dict(rows.read("image-defaults", parse_image_defaults)),
        record=next(map(parse_record, rows.texts("record")), None),
        logged_in="login" in rows,
        lock=next(map(parse_lock, rows.texts("lock")), None),
        lock_mark=rows.first("lock-mark") or "",
    )


def _docker(rows: Rows) -> Docker:
    if "docker-missing" in rows:
        return Docker(installed=False)
    other = rows.first("docker-other")
    if other is not None:
        return Docker.other(other)
    error = rows.first("docker-error")
    if error is not None:
        return Docker(installed=True, error=error.strip() or "no answer")
    version = rows.first("docker")
    if version is None:
        raise SnapshotError("the snapshot cannot be read: no line says what Docker is there")
    return Docker(installed=True, version=version)


def _secret(text: str) -> tuple[str, str]:
    container, digest = text.split()[:2]
    return container, digest


def _edited(rows: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``NAME PATH`` rows as container → paths."""
    edited: dict[str, tuple[str, ...]] = {}
    for name, _, path in (text.partition(" ") for text in rows):
        edited[name] = (*edited.get(name, ()), path)
    return edited


def _check(text: str) -> tuple[int, str, str]:
    number, name, owner = text.split(" ", 2)
    return int(number), name, owner


def _checks(rows: Iterable[tuple[int, str, str]]) -> dict[str, dict[str, int]]:
    """``NUMBER NAME OWNER`` rows as owner → name → number."""
    checks: dict[str, dict[str, int]] = {}
    for number, name, owner in rows:
        checks.setdefault(owner, {})[name] = number
    return checks


def _image(text: str) -> ObservedImage:
    reference, _, identity = text.rpartition(" ")
    return ObservedImage(reference=reference, id=identity)


def _image_time(text: str) -> tuple[str, float]:
    """An image's id, and when it was last built or got a tag here, in seconds since 1970."""
    identity, _, times = text.partition(" ")
    tagged, _, created = times.partition(" ")
    try:
        built = datetime.fromisoformat(f"{created[:19]}+00:00").timestamp()
    except ValueError:
        built = 0.0
    return identity, max(_number(tagged), built)


def _number(text: str) -> float:
    return float(text) if WHOLE.fullmatch(text) else 0.0


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
    except ValueError:  # not base64, or not even ASCII
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
