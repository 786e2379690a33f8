"""Lines as they come from a host, and which of them are new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from kamal_pyinfra.commands.logs import LogFilter
from kamal_pyinfra.plan.text import sanitized

CHUNK = 32 * 1024
LONGEST_LINE = 64 * 1024
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z(?= |$)")
"""What Docker puts before a line; of one length, so that text compares as time does."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """What a container wrote.

    Args:
        host: where.
        container: its name.
        label: a short word for what it is, such as the role.
        text: safe to print; begins with the time, if Docker knows it.
    """

    host: str
    container: str
    label: str
    text: str

    @property
    def time(self) -> str:
        """When; empty for what Docker itself or grep says."""
        stamp = STAMP.match(self.text)
        return stamp[0] if stamp else ""

    @property
    def message(self) -> str:
        """The text without its time."""
        return self.text[len(self.time) :].removeprefix(" ") if self.time else self.text


def by_time(lines: Iterable[LogLine]) -> list[LogLine]:
    """Lines of many containers as they came; one without time stays behind the one before it of its container."""
    times: dict[tuple[str, str], str] = {}
    found: list[tuple[str, LogLine]] = []
    for line in lines:
        key = (line.host, line.container)
        times[key] = line.time or times.get(key, "")
        found.append((times[key], line))
    return [line for _, line in sorted(found, key=lambda each: each[0])]


class Source(Protocol):
    """Where bytes come from; an SSH channel."""

    def recv(self, nbytes: int) -> bytes:
        """The next bytes; none at the end."""


def lines_of(source: Source) -> Iterator[str]:
    """What comes, line by line and safe to print; an endless line comes in pieces."""
    rest = b""
    while chunk := source.recv(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield sanitized(line.decode(errors="replace"))
    if rest:
        yield sanitized(rest.decode(errors="replace"))


class Position:
    """How far the log of one container has been read, also across lost connections.

    Args:
        beginning: which lines are wanted when it is read first.
    """

    def __init__(self, beginning: LogFilter) -> None:
        self.wanted = beginning
        self.seen = ""
        self.complaint = ""

    def filter(self) -> LogFilter:
        """Where to begin now: as asked, or with the last line that was seen."""
        return replace(self.wanted, since=self.seen, lines=None) if self.seen else self.wanted

    def unseen(self, lines: Iterator[str]) -> Iterator[str]:
        """Those of the lines that begin now which were not there before."""
        before = self.seen
        for line in lines:
            stamp = STAMP.match(line)
            if stamp is None:
                if not self._is_repeated(line):
                    yield line
            elif stamp[0] > before:
                self.seen = stamp[0]
                yield line

    def _is_repeated(self, line: str) -> bool:
        """Why Docker cannot show a log, each time that it is asked; grep's own lines are none of these."""
        is_repeated = line.startswith("Error") and line == self.complaint
        self.complaint = line
        return is_repeated
