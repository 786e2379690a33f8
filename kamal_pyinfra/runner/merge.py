"""Lines that come from many hosts at once, put in the order in which they were written."""

from __future__ import annotations

from typing import Protocol

from kamal_pyinfra.runner.log_lines import LogLine, by_time

TICK_SECONDS = 0.25
"""Between two ticks; a host that is slower by more than one has its lines behind those of others."""


class Listener(Protocol):
    """Told what hosts write, each time a whole line."""

    def line(self, line: LogLine) -> None:
        """A container wrote a line."""

    def notice(self, host: str, text: str) -> None:
        """Something happened that a reader of the log wants to know."""


class Merged:
    """Holds each line back for one tick at least, so that those that were written earlier can come before it.

    Args:
        listener: gets the lines in order, and notices at once.
    """

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.held: list[LogLine] = []
        self.fresh: list[LogLine] = []

    def line(self, line: LogLine) -> None:
        """A container wrote a line."""
        self.fresh.append(line)

    def notice(self, host: str, text: str) -> None:
        """Something happened that a reader of the log wants to know."""
        self.listener.notice(host, text)

    def tick(self) -> None:
        """Hand on the lines that were there at the last tick, and all that were written before them."""
        old = {id(line) for line in self.held}
        waiting = by_time([*self.held, *self.fresh])
        count = max((number for number, line in enumerate(waiting, start=1) if id(line) in old), default=0)
        self.held, self.fresh = waiting[count:], []
        for line in waiting[:count]:
            self.listener.line(line)

    def end(self) -> None:
        """Hand on what is left."""
        left = by_time([*self.held, *self.fresh])
        self.held, self.fresh = [], []
        for line in left:
            self.listener.line(line)
