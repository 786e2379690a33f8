"""The one way to a terminal, and to a CI runner: nothing is printed that it would obey, wherever the text came from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import click

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
