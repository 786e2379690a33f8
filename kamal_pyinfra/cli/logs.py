"""Options of every ``logs`` command, and the printing of lines."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import option, options_of, switch
from kamal_pyinfra.cli.output import echo, printable
from kamal_pyinfra.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from kamal_pyinfra.plan.run import Run
    from kamal_pyinfra.runner.queries.log_lines import LogLine
    from kamal_pyinfra.shell.logs import LogFilter

COLORS = ("cyan", "green", "yellow", "magenta", "blue", "bright_red")
LINES = "Last N lines of each [default: 100; 10 with -f]."


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Options that select lines of a log, and their values."""

    follows: bool = switch("-f", "--follow", help="Print new lines as they come, from all hosts at once.")
    since: str | None = option(
        *("-s", "--since"), metavar="TIME", default=None, help="Lines since a time or a duration such as 10m."
    )
    lines: int | None = option("-n", "--lines", type=click.IntRange(0), metavar="N", default=None, help=LINES)
    grep: str | None = option("-g", "--grep", metavar="PATTERN", default=None, help="Only lines that match.")
    grep_options: str = option(
        *("-o", "--grep-options", "--grep_options"),
        metavar="OPTIONS",
        default="",
        help="More options for grep: '-A 3'.",
    )
    as_json: bool = switch("--json", help="Print an object for each line: host, container, time, line.")

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

    def show(self, run: Run, hosts: Collection[str], container: str = "", label: str = "") -> None:
        """Print the lines of a container that each host has, or of the app's, or follow them on all hosts at once."""
        from kamal_pyinfra.runner.queries import logs

        wanted = self.filter()
        if not self.follows and container:
            print_logs(logs.container_logs(run, hosts, container, label, wanted), as_json=self.as_json)
        elif not self.follows:
            print_logs(logs.app_logs(run, hosts, wanted), as_json=self.as_json)
        else:
            from kamal_pyinfra.runner.queries.follow import follow

            listings = logs.container_listings(hosts, container, label) if container else logs.app_listings(run, hosts)
            printer = LogPrinter(listings, as_json=self.as_json)
            with _reader():
                try:
                    follow(run, listings, wanted, printer.line, printer.notice)
                except Interrupted as error:  # nothing had to be reverted
                    raise click.exceptions.Exit(error.code) from None


log_options = options_of(LogOptions, "log")


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

    def notice(self, host: str, text: str) -> None:
        """Print an event to standard error."""
        echo(f"{host}: {text}", err=True, dim=not self.as_json)


def _print(line: str) -> None:
    try:
        echo(line)
    except BrokenPipeError:
        raise ReaderGone from None


def print_logs(found: Mapping[str, Collection[LogLine]], *, as_json: bool) -> None:
    """Print lines of all hosts by time, and then, unless as objects, which hosts have none."""
    from kamal_pyinfra.runner.queries.log_lines import by_time

    printer = LogPrinter(found, as_json=as_json)
    with _reader():
        for line in by_time(line for lines in found.values() for line in lines):
            printer.line(line)
        for host in (host for host, lines in found.items() if not lines and not as_json):
            _print(f"{host}  Nothing found")


@contextmanager
def _reader() -> Iterator[None]:
    try:
        yield
    except ReaderGone:  # Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
