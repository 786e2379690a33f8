"""The output of the doctor's script → Examined. Nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from kamal_pyinfra.facts.parse_snapshot import SnapshotError
from kamal_pyinfra.plan.examined import Disk, Examined
from kamal_pyinfra.plan.observed import Docker

PUBLISHED = re.compile(r":(\d{1,5})(?:-(\d{1,5}))?->[\d-]+/tcp", re.ASCII)


def parse_examined(output: Iterable[str]) -> Examined:
    """One value from the lines of the script.

    Raises:
        SnapshotError: the last line is missing, or a line cannot be read.
    """
    rows: dict[str, list[str]] = {}
    for line in output:
        kind, _, text = line.partition(" ")
        rows.setdefault(kind, []).append(text)
    if "end" not in rows:
        raise SnapshotError("the look was cut short")
    try:
        return _examined(rows)
    except ValueError as error:
        raise SnapshotError(f"the look cannot be read: {error}") from error


def _examined(rows: Mapping[str, list[str]]) -> Examined:
    kilobytes = _number(rows, "memory")
    return Examined(
        user="".join(rows.get("user", [])),
        docker=_docker(rows),
        clock=_number(rows, "clock"),
        cpus=_number(rows, "cpus"),
        memory=None if kilobytes is None else kilobytes * 1024,
        disks=tuple(dict.fromkeys(_disk(text) for text in rows.get("disk", []))),
        is_writable="writable" in rows,
        listening=frozenset(int(text, 16) for text in rows.get("listening", [])),
        programs=dict(_program(text) for text in rows.get("program", [])),
        published=dict(pair for text in rows.get("container", []) for pair in _published(text)),
        registry=rows.get("registry", [""])[0],
    )


def _number(rows: Mapping[str, list[str]], kind: str) -> int | None:
    text = rows.get(kind, [""])[0]
    return int(text) if text else None


def _docker(rows: Mapping[str, list[str]]) -> Docker:
    if "docker-missing" in rows:
        return Docker(installed=False)
    if "docker-error" in rows:
        return Docker(installed=True, error=rows["docker-error"][0].strip() or "no answer")
    return Docker(installed=True, version=rows.get("docker", [""])[0])


def _disk(text: str) -> Disk:
    size, available, path = text.split(" ", 2)
    return Disk(path=path, size=int(size) * 1024, available=int(available) * 1024)


def _program(text: str) -> tuple[int, str]:
    port, _, name = text.partition(" ")
    return int(port), name


def _published(text: str) -> Iterator[tuple[int, str]]:
    name, _, ports = text.partition(" ")
    for first, last in PUBLISHED.findall(ports):
        yield from ((port, name) for port in range(int(first), int(last or first) + 1))
