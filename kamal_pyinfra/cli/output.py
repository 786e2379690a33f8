"""Prints text, plans, questions, durations and error pages."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TextIO

import click

from kamal_pyinfra.errors import ConfigError, KpError
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.text import (
    COMMAND_ANYWHERE,
    is_read_by_runner,
    one_line,
    sanitized,
    sanitized_json,
    without_commands,
)

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.text import Text


def printable(text: str) -> str:
    """Text that may come from anywhere as it may be printed: no secret, and no command to a terminal or a CI runner."""
    text = sanitized(text)
    return without_commands(text) if is_run_by_ci() else text


def is_run_by_ci() -> bool:
    """Whether what is printed is read by a CI runner."""
    return is_read_by_runner(os.environ)


def say(text: str, *, nl: bool = True, err: bool = False, **style: Any) -> None:
    """Print text that may come from anywhere.

    Args:
        text: one or more lines.
        nl: whether a line break follows.
        err: on standard error.
        style: of ``click.style``.
    """
    click.secho(printable(text), nl=nl, err=err, **style)


def command_runner(line: str) -> None:
    """Print a command to the CI runner; what came from elsewhere is escaped in it."""
    click.echo(sanitized(line))


def say_json(text: str) -> None:
    """Print JSON; what a terminal would obey is spelled, and means the same."""
    text = sanitized_json(text)
    click.echo(COMMAND_ANYWHERE.sub(r"\\u0023", text) if is_run_by_ci() else text)


def cell(text: str, style: str = "") -> Text:
    """A cell of a table, in which brackets are brackets."""
    from rich.text import Text

    return Text(one_line(text), style=style)


def table_console() -> Console:
    """Where tables are printed; a cell may be broken anywhere, so it is the finished line that a CI runner reads."""
    from rich.console import Console

    return Console(highlight=False, file=_Through(sys.stdout, without_commands) if is_run_by_ci() else None)  # type: ignore[arg-type] # it is written to and flushed


class _Through:
    """A stream, and what is done to text on its way there."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self.stream = stream
        self.clean = clean

    def write(self, text: str) -> int:
        """Write it as it may be read."""
        return self.stream.write(self.clean(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def prepare_output() -> None:
    """Replace letters that the output has no byte for, instead of ending, and let no secret into a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a caller may have put anything in its place
            stream.reconfigure(errors="replace")
    if sys.stderr is not None:
        sys.stderr = _Through(sys.stderr, _traceback_shown)


def _traceback_shown(text: str) -> str:
    text = redacted(text)
    return without_commands(text) if is_run_by_ci() else text


COLORS = {"+": "green", "~": "yellow", "±": "cyan", "-": "red"}

CHANGE = re.compile(r"  ([+~±-]) ")

WITH_CAUSE = re.compile(r"(  [+~±-] \S+ +\S.*?) {2,}(\S.*)")

SUBJECT_COLUMN = 14
"""Where the name of what changes begins, and its cause where both do not fit into a line."""


def paint(text: str) -> None:
    """Print the text of a plan; where somebody sees it with its symbols in colour, and no word cut at the edge."""
    may_color = None if not os.environ.get("NO_COLOR") else False
    lines = printable(text).split("\n")
    if sys.stdout.isatty():
        lines = [part for line in lines for part in folded(line, shutil.get_terminal_size().columns)]
    click.echo("\n".join(_painted(line) for line in lines), nl=False, color=may_color)


def folded(line: str, width: int) -> Iterator[str]:
    """A line of a plan as lines that fit: the cause of a change goes below what changes, at its column."""
    if len(line) <= width:
        yield line
        return
    change = WITH_CAUSE.fullmatch(line)
    if change:
        yield change[1]
    indent = " " * SUBJECT_COLUMN if change else "    "
    yield from textwrap.wrap(
        change[2] if change else line,
        max(width, 2 * SUBJECT_COLUMN),
        initial_indent=indent if change else "",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(line: str) -> str:
    found = CHANGE.match(line)
    if found:
        return f"  {click.style(found[1], fg=COLORS[found[1]], bold=True)}{line[3:]}"
    return click.style(line, bold=True) if line.startswith("Plan") else line


ADDRESS = "docs/reference/troubleshooting.md"

ALL = "errors"


def more(error: KpError) -> str:
    """Where an error is explained, in the terminal and on a page."""
    name = type(error).__name__
    return f"More: kp docs {name}  ({ADDRESS}#{name.lower()})"


def error_page(name: str) -> str | None:
    """The page of an error class, in whatever case it is typed, or of ``errors``; None if there is no such class.

    Args:
        name: also as in an address: ``errors#lockheld``.
    """
    wanted = name.removeprefix(f"{ALL}#").lower()
    about, *sections = files("kamal_pyinfra.cli").joinpath("pages/errors.md").read_text("utf-8").split("\n## ")
    if wanted == ALL:
        return about.partition("-->\n\n")[2].rstrip() + "\n"
    pages = {section.partition("\n")[0].lower(): section for section in sections}
    known = {error.__name__.lower() for error in KpError.__subclasses__()}
    return f"## {pages[wanted].rstrip()}\n" if wanted in known & pages.keys() else None


def says_yes(question: str, *, err: bool = False) -> bool:
    """Whether the user answers ``y``.

    Raises:
        ConfigError: nobody is there to answer.
    """
    try:
        return click.confirm(question, default=False, err=err)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise ConfigError("nobody answered; -y goes on without asking") from None
        raise


UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def age(since: str, now: datetime) -> str:
    """``2026-11-23T10:00:00.123456789Z`` → ``3 h``: the largest unit that fits."""
    if not since:
        return ""
    seconds = (now - type(now).fromisoformat(f"{since[:19]}+00:00")).total_seconds()
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    return f"{max(int(seconds // size), 0)} {unit}"


def duration(seconds: float) -> str:
    """``4.2 s``, ``1 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s"
