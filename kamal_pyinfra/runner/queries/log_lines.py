"""Lines of logs as values: cut from what a host prints, in order of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from kamal_pyinfra.shell.logs import LogFilter
from kamal_pyinfra.text import sanitized

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
    for line in byte_lines(source):
        yield sanitized(line.decode(errors="replace"))


def byte_lines(source: Source) -> Iterator[bytes]:
    """What comes, line by line; an endless line comes in pieces."""
    rest = b""
    while chunk := source.recv(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from whole
    if rest:
        yield rest


class Pieces:
    """Lines of one container that come in pieces of one length, put together again.

    Args:
        size: of all pieces but the last of a line, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = b""
        self.is_old = False

    def add(self, piece: bytes) -> Iterator[str]:
        """The lines that are whole now; a line begins with its time."""
        if self.held and STAMP.match(piece[:40].decode(errors="replace")):
            yield from self.rest()
        self.held += piece
        self.is_old = False
        if len(piece) < self.size or len(self.held) > LONGEST_LINE:
            yield self._whole()

    def rest(self) -> Iterator[str]:
        """What is held back: nothing more of it is to come."""
        if self.held:
            yield self._whole()

    def _whole(self) -> str:
        line, self.held = self.held, b""
        return sanitized(line.decode(errors="replace"))

    def tick(self) -> Iterator[str]:
        """What has been held back since the last tick."""
        if self.is_old:
            yield from self.rest()
        self.is_old = bool(self.held)


class Position:
    """How far the log of one container has been read, also across lost connections.

    Args:
        beginning: which lines are wanted when it is read first.
    """

    def __init__(self, beginning: LogFilter) -> None:
        self.wanted = beginning
        self.seen = ""
        self.before = ""
        self.complaint = ""

    def filter(self) -> LogFilter:
        """Where to begin now: as asked, or with the last line that was seen."""
        return replace(self.wanted, since=self.seen, lines=None) if self.seen else self.wanted

    def begin(self) -> None:
        """The log is read anew, from where :meth:`filter` said or before."""
        self.before = self.seen

    def is_new(self, line: str) -> bool:
        """Whether a line was not there before the log was begun."""
        stamp = STAMP.match(line)
        if stamp is None:
            return not self._is_repeated(line)
        if stamp[0] <= self.before:
            return False
        self.seen = stamp[0]
        return True

    def _is_repeated(self, line: str) -> bool:
        """Why Docker cannot show a log, each time that it is asked; grep's own lines are none of these."""
        is_repeated = line.startswith("Error") and line == self.complaint
        self.complaint = line
        return is_repeated
