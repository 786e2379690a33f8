"""The output of the doctor's script → Findings. Nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kamal_pyinfra.facts.snapshot import Rows
from kamal_pyinfra.plan.state.observed import Disk, Docker, Findings

PUBLISHED = re.compile(r":(\d{1,5})(?:-(\d{1,5}))?->[\d-]+/tcp", re.ASCII)


def parse_findings(output: Iterable[str]) -> Findings:
    """One value from the lines of the script.

    Raises:
        SnapshotError: the last line is missing, or a line cannot be read.
    """
    rows = Rows("the look", output)
    kilobytes = _number(rows, "memory")
    return Findings(
        user=rows.text("user"),
        docker=_docker(rows),
        clock=_number(rows, "clock"),
        cpus=_number(rows, "cpus"),
        memory=None if kilobytes is None else kilobytes * 1024,
        disks=tuple(dict.fromkeys(rows.read("disk", _disk))),
        is_writable="writable" in rows,
        listening=frozenset(rows.read("listening", lambda text: int(text, 16))),
        programs=dict(rows.read("program", _program)),
        published=dict(pair for text in rows.texts("container") for pair in _published(text)),
        registry=rows.first("registry") or "",
    )


def _number(rows: Rows, kind: str) -> int | None:
    return next((number for number in rows.read(kind, lambda text: int(text) if text else None)), None)


def _docker(rows: Rows) -> Docker:
    if "docker-missing" in rows:
        return Docker(installed=False)
    error = rows.first("docker-error")
    if error is not None:
        return Docker(installed=True, error=error.strip() or "no answer")
    other = rows.first("docker-other")
    if other is not None:
        return Docker.other(other)
    return Docker(installed=True, version=rows.first("docker") or "")


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
