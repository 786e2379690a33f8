"""The snapshot of a host and the doctor's findings: lines of one command, one value."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from kamal_pyinfra.facts.container import parse_container, parse_image_defaults
from kamal_pyinfra.plan.state import observed
from kamal_pyinfra.plan.state.observed import Disk, Docker, Findings, LockDetails, ObservedFile, ObservedHost
from kamal_pyinfra.shell.snapshot import SnapshotQuery, snapshot
from kamal_pyinfra.text import one_line

Value = TypeVar("Value")

LONGEST = 300
WHOLE = re.compile(r"-?[0-9]{1,12}", re.ASCII)
LOCK = re.compile(r"(?P<content>.*?)(?: (?P<left>-?[0-9]{1,12})?)?", re.ASCII | re.DOTALL)
PUBLISHED = re.compile(r":(\d{1,5})(?:-(\d{1,5}))?->[\d-]+/tcp", re.ASCII)


class SnapshotError(ValueError):
    """The output is cut short or not what the script prints."""


class Rows:
    """The lines of a script's output by their kind; SnapshotError if the last is missing. ``name`` is for messages."""

    def __init__(self, name: str, output: Iterable[str]) -> None:
        self.name = name
        self._rows: dict[str, list[tuple[int, str]]] = {}
        for number, line in enumerate(output, 1):
            kind, _, text = line.encode(errors="replace").decode().partition(" ")
            self._rows.setdefault(kind, []).append((number, text))
        if "end" not in self:
            raise SnapshotError(f"{name} is cut short")

    def __contains__(self, kind: str) -> bool:
        return kind in self._rows

    def texts(self, kind: str) -> list[str]:
        """The lines of a kind, without it."""
        return [text for _, text in self._rows.get(kind, [])]

    def first(self, kind: str) -> str | None:
        """The first line of a kind; ``None`` if there is none."""
        return next(iter(self.texts(kind)), None)

    def read(self, kind: str, reader: Callable[[str], Value]) -> list[Value]:
        """The value of each line of a kind; SnapshotError names the line that is not of its kind, and the reason."""
        values = []
        for number, text in self._rows.get(kind, []):
            try:
                values.append(reader(text))
            except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
                line = one_line(f"{self.name} cannot be read: line {number}, {kind}: {_reason(error)}")
                raise SnapshotError(line[:LONGEST]) from error
        return values

    def number(self, kind: str) -> int | None:
        """The first line of a kind as a number, if there is one."""
        return next(iter(self.read(kind, lambda text: int(text) if text else None)), None)

    def docker(self) -> Docker | None:
        """What there is of Docker; ``None`` without a line about it."""
        if "docker-missing" in self:
            return Docker(installed=False)
        other, error, version = map(self.first, ("docker-other", "docker-error", "docker"))
        if other is not None:
            return Docker.other(other)
        if error is not None:
            return Docker(installed=True, error=error.strip() or "no answer")
        return None if version is None else Docker(installed=True, version=version)


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    problem = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, ("/".join(map(str, problem["loc"])), problem["msg"])))


def parse_snapshot(host: str, output: Iterable[str]) -> ObservedHost:
    """A host, by its name in the configuration, from the lines of a snapshot; SnapshotError if it cannot be read."""
    rows = Rows("the snapshot", output)
    docker = rows.docker()
    if docker is None:
        raise SnapshotError("the snapshot cannot be read: no line is about Docker")
    secrets = dict(rows.read("secrets", _secret))
    images = (text.rpartition(" ") for text in rows.texts("image"))
    checks, file_checks, clear = (_checks(rows, kind) for kind in ("check", "file-check", "clear-check"))
    edited: dict[str, tuple[str, ...]] = {}
    for name, _, path in (text.partition(" ") for text in rows.texts("edited")):
        edited[name] = (*edited.get(name, ()), path)
    return ObservedHost(
        host=host,
        user=rows.first("user") or "",
        home=rows.first("home") or "",
        docker=docker,
        containers=tuple(rows.read("container", lambda text: parse_container(text, secrets, checks, clear, edited))),
        images=tuple(observed.ObservedImage(reference=name, id=image_id) for name, _, image_id in images),
        directories=frozenset(rows.texts("directory")),
        files=dict(rows.read("file", lambda text: _file(text, file_checks))),
        uploads=dict(rows.read("upload", lambda text: _file(text, {}))),
        cords={path: state == "tied" for state, _, path in (text.partition(" ") for text in rows.texts("cord"))},
        assets=frozenset(rows.texts("assets")),
        env_files=frozenset(rows.texts("env-file")),
        image_times=dict(map(_image_time, rows.texts("image-age"))),
        now=_number(rows.first("now") or ""),
        image_defaults=dict(rows.read("image-defaults", parse_image_defaults)),
        record=next(map(observed.parse_record, rows.texts("record")), None),
        logged_in="login" in rows,
        lock=next(map(parse_lock, rows.texts("lock")), None),
        lock_mark=rows.first("lock-mark") or "",
    )


def _secret(text: str) -> tuple[str, str]:
    container, digest = text.split()[:2]
    return container, digest


def _checks(rows: Rows, kind: str) -> dict[str, dict[str, int]]:
    """``NUMBER NAME OWNER`` rows as owner → name → number."""

    def parse(text: str) -> tuple[int, str, str]:
        number, name, owner = text.split(" ", 2)
        return int(number), name, owner

    checks: dict[str, dict[str, int]] = {}
    for number, name, owner in rows.read(kind, parse):
        checks.setdefault(owner, {})[name] = number
    return checks


def _image_time(text: str) -> tuple[str, float]:
    """An image's id, and when it was last built or got a tag on the host, in seconds since 1970."""
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


class HostSnapshot(FactBase[ObservedHost | None]):
    """The host as the plan takes it; ``None`` only if the snapshot failed, and then pyinfra fails the host."""

    default = type(None)  # a failed snapshot is not an empty host

    def command(self, host_name: str, query: SnapshotQuery) -> StringCommand:
        """The snapshot script, for a host by its name in the configuration."""
        self.host_name = host_name
        return StringCommand(snapshot(query))

    def process(self, output: list[str]) -> ObservedHost:
        """Lines of facts to one value."""
        try:
            return parse_snapshot(self.host_name, output)
        except SnapshotError as error:
            raise FactProcessError(str(error)) from error


def parse_findings(output: Iterable[str]) -> Findings:
    """One value from the lines of the doctor's script; SnapshotError if they cannot be read. Nothing is judged."""
    rows = Rows("the doctor's output", output)
    kilobytes = rows.number("memory")
    return Findings(
        user=rows.first("user") or "",
        docker=rows.docker() or Docker(installed=True),
        clock=rows.number("clock"),
        cpus=rows.number("cpus"),
        memory=None if kilobytes is None else kilobytes * 1024,
        disks=tuple(dict.fromkeys(rows.read("disk", _disk))),
        is_writable="writable" in rows,
        listening=frozenset(rows.read("listening", lambda text: int(text, 16))),
        programs=dict(rows.read("program", lambda text: (int(text.partition(" ")[0]), text.partition(" ")[2]))),
        published=dict(pair for text in rows.texts("container") for pair in _published(text)),
        registry=rows.first("registry") or "",
    )


def _disk(text: str) -> Disk:
    size, available, path = text.split(" ", 2)
    return Disk(path=path, size=int(size) * 1024, available=int(available) * 1024)


def _published(text: str) -> Iterator[tuple[int, str]]:
    name, _, ports = text.partition(" ")
    for first, last in PUBLISHED.findall(ports):
        yield from ((port, name) for port in range(int(first), int(last or first) + 1))
