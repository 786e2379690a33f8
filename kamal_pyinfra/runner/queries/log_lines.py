"""Lines of logs as values: cut from what a host prints, in order of time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kamal_pyinfra.shell.logs import LogFilter
from kamal_pyinfra.text import sanitized

CHUNK = 32 * 1024
LONGEST_LINE = 64 * 1024
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z(?= |$)")
"""What Docker puts before a line; of one length, so that text compares as time does."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """What a container wrote."""

    host: str  # where
    container: str  # its name
    label: str  # a short word for what it is, such as the role
    text: str  # safe to print; begins with the time, if Docker knows it

    @property
    def time(self) -> str:
        """When; empty for lines of Docker itself or of grep."""
        stamp = STAMP.match(self.text)
        return stamp[0] if stamp else ""

    @property
    def message(self) -> str:
        """The text without its time."""
        return self.text[len(self.time) :].removeprefix(" ") if self.time else self.text


def by_time(lines: Iterable[LogLine]) -> list[LogLine]:
    """Sort lines of many containers; one without time stays behind the one before it of its container."""
    times: dict[tuple[str, str], str] = {}
    timed: list[tuple[str, LogLine]] = []
    for line in lines:
        key = (line.host, line.container)
        times[key] = line.time or times.get(key, "")
        timed.append((times[key], line))
    return [line for _, line in sorted(timed, key=lambda pair: pair[0])]


def byte_lines(receive: Callable[[int], bytes]) -> Iterator[bytes]:
    """Cut what comes into lines; an endless line comes in pieces.

    Args:
        receive: returns the next bytes, at most so many; none at the end.
    """
    rest = b""
    while chunk := receive(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from whole
    if rest:
        yield rest


@dataclass
class Pieces:
    """Lines of one container that come in pieces of one length, put together again."""

    size: int  # of all pieces but the last of a line, in bytes
    held: bytes = b""
    is_old: bool = False

    def add(self, piece: bytes) -> Iterator[str]:
        """Yield the lines that are whole now; a line begins with its time."""
        if self.held and STAMP.match(piece[:40].decode(errors="replace")):
            yield from self.rest()
        self.held += piece
        self.is_old = False
        if len(piece) < self.size or len(self.held) > LONGEST_LINE:
            yield self._whole()

    def rest(self) -> Iterator[str]:
        """Yield what is held back: nothing more of it is to come."""
        if self.held:
            yield self._whole()

    def _whole(self) -> str:
        line, self.held = self.held, b""
        return sanitized(line.decode(errors="replace"))

    def tick(self) -> Iterator[str]:
        """Yield what has been held back since the last tick."""
        if self.is_old:
            yield from self.rest()
        self.is_old = bool(self.held)


@dataclass
class Position:
    """How far the log of one container has been read, also across lost connections."""

    beginning: LogFilter  # which lines are wanted when it is read first
    last: str = ""
    before: str = ""
    complaint: str = ""

    def filter(self) -> LogFilter:
        """Return where to begin now: as asked, or with the last line that was read."""
        return replace(self.beginning, since=self.last, lines=None) if self.last else self.beginning

    def begin(self) -> None:
        """The log is read anew, from where :meth:`filter` points or before."""
        self.before = self.last

    def is_new(self, line: str) -> bool:
        """Whether a line was not there before the log was begun."""
        stamp = STAMP.match(line)
        if stamp is None:
            # Docker repeats why it cannot show a log each time that it is asked; grep's own lines are none of these.
            is_repeated = line.startswith("Error") and line == self.complaint
            self.complaint = line
            return not is_repeated
        if stamp[0] <= self.before:
            return False
        self.last = stamp[0]
        return True
