"""Options of every ``logs`` command, and the printing of lines."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kamal_pyinfra.cli.options import collected, flag
from kamal_pyinfra.cli.output import echo, printable
from kamal_pyinfra.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.queries.log_lines import LogLine
    from kamal_pyinfra.shell.logs import LogFilter

F = TypeVar("F", bound=Callable[..., Any])
COLORS = ("cyan", "green", "yellow", "magenta", "blue", "bright_red")
OPTIONS = (
    flag("-f", "--follow", "follows", help="Print new lines as they come, from all hosts at once."),
    click.option("-s", "--since", metavar="TIME", help="Lines since a time or a duration such as 10m."),
    click.option(
        "-n", "--lines", type=click.IntRange(0), metavar="N", help="Last N lines of each [default: 100; 10 with -f]."
    ),
    click.option("-g", "--grep", metavar="PATTERN", help="Only lines that match."),
    click.option(
        "-o", "--grep-options", "--grep_options", metavar="OPTIONS", default="", help="More options for grep: '-A 3'."
    ),
    flag("--json", "as_json", help="Print an object for each line: host, container, time, line."),
)


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Values of the options that select lines of a log."""

    follows: bool = False
    since: str | None = None
    lines: int | None = None
    grep: str | None = None
    grep_options: str = ""
    as_json: bool = False

    def filter(self) -> LogFilter:
        """Return the filter; raise ConfigError for unusable options of grep."""
        from kamal_pyinfra.shell.logs import LogFilter

        if self.grep_options and not self.grep:
            raise ConfigError("--grep-options needs --grep PATTERN")
        try:
            words = tuple(shlex.split(self.grep_options))
        except ValueError as error:
            raise ConfigError(f"--grep-options {self.grep_options!r}: {error}") from None
        return LogFilter(lines=self.lines, since=self.since, grep=self.grep, grep_options=words)

    def show(
        self,
        run: Run,
        listings: Mapping[str, str],
        read: Callable[[LogFilter], Mapping[str, Collection[LogLine]]],
    ) -> None:
        """Print the lines that ``read`` returns by host, or follow what ``listings`` list on each host."""
        if not self.follows:
            print_logs(read(self.filter()), as_json=self.as_json)
            return
        from kamal_pyinfra.runner.queries.follow import follow

        with _reader():
            try:
                printer = LogPrinter(listings, as_json=self.as_json)
                follow(run, listings, self.filter(), printer.line, printer.notice)
            except Interrupted as error:  # nothing had to be reverted
                raise click.exceptions.Exit(error.code) from None


def log_options(command: F) -> F:
    """Add the options that select lines of a log, as one :class:`LogOptions` in ``log``."""
    return collected(command, OPTIONS, LogOptions, "log")


class ReaderGone(Exception):
    """The reader of the output closed it; neither a fault nor a lost connection."""


class LogPrinter:
    """Print lines of many hosts: as objects, or as text, on a terminal each host in a colour of its own."""

    def __init__(self, hosts: Collection[str], *, as_json: bool = False) -> None:
        self.colors = {host: COLORS[number % len(COLORS)] for number, host in enumerate(hosts)}
        self.as_json = as_json
        self.console: Console | None = None
        if sys.stdout.isatty() and not as_json:
            from rich.console import Console

            self.console = Console(soft_wrap=True, highlight=False)

    def line(self, line: LogLine) -> None:
        """Print a line of a container."""
        source = f"{line.host}/{line.label}"
        if self.as_json:
            values = {"host": line.host, "container": line.container, "time": line.time or None, "line": line.message}
            _print(json.dumps(values))
        elif self.console is None:
            _print(f"{source}  {line.text}")
        else:
            from rich.text import Text

            style = self.colors.get(line.host, "")
            self.console.print(Text(source, style=style), Text(printable(line.text)), sep="  ")

    def nothing(self, host: str) -> None:
        """Print that a host has no line to show; as objects, nothing."""
        if not self.as_json:
            _print(f"{host}  Nothing found")

    def notice(self, host: str, text: str) -> None:
        """Print an event to standard error."""
        echo(f"{host}: {text}", err=True, dim=not self.as_json)


def _print(line: str) -> None:
    try:
        echo(line)
    except BrokenPipeError:
        raise ReaderGone from None


def print_logs(found: Mapping[str, Collection[LogLine]], *, as_json: bool) -> None:
    """Print lines of all hosts by time."""
    from kamal_pyinfra.runner.queries.log_lines import by_time

    printer = LogPrinter(found, as_json=as_json)
    with _reader():
        for line in by_time(line for lines in found.values() for line in lines):
            printer.line(line)
        for host, lines in found.items():
            if not lines:
                printer.nothing(host)


@contextmanager
def _reader() -> Iterator[None]:
    try:
        yield
    except ReaderGone:  # Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
