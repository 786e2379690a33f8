"""Printing of text, plans, questions, durations and error pages."""

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

from kamal_pyinfra import text as safe
from kamal_pyinfra.errors import ConfigError, KpError
from kamal_pyinfra.redactor import redacted

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.text import Text

    from kamal_pyinfra.plan.plan import Plan

COLORS = {"+": "green", "~": "yellow", "±": "cyan", "-": "red"}
CHANGE = re.compile(r"^  ([+~±-]) ")
WITH_CAUSE = re.compile(r"(  [+~±-] \S+ +\S.*?) {2,}(\S.*)")
SUBJECT_COLUMN = 14
"""The column of a change's subject, and of its cause on a line of its own."""
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def printable(text: str) -> str:
    """Make text from any source safe to print: no secret, and no command to a terminal or a CI runner."""
    return _without_commands(safe.sanitized(text))


def _without_commands(text: str) -> str:
    return safe.without_commands(text) if safe.is_read_by_runner(os.environ) else text


def echo(text: str, *, nl: bool = True, err: bool = False, **style: Any) -> None:
    """Print text from any source; ``style`` is that of ``click.style``."""
    click.secho(printable(text), nl=nl, err=err, **style)


def echo_command(line: str) -> None:
    """Print a command to the CI runner, in which values are escaped already."""
    click.echo(safe.sanitized(line))


def echo_json(text: str) -> None:
    """Print JSON with terminal commands spelled as escapes."""
    text = safe.sanitized_json(text)
    click.echo(safe.COMMAND_ANYWHERE.sub(r"\\u0023", text) if safe.is_read_by_runner(os.environ) else text)


def cell(text: str, style: str = "") -> Text:
    """Return a cell of a table; brackets are no markup."""
    from rich.text import Text

    return Text(safe.one_line(text), style=style)


def cut(text: str, cells: int) -> str:
    """Shorten text to a number of terminal cells, with … where something is missing."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"


def table_console() -> Console:
    """Return the console for tables; since cells may wrap, whole lines are made safe for a CI runner."""
    from rich.console import Console

    stream: Any = _Filtered(sys.stdout, safe.without_commands) if safe.is_read_by_runner(os.environ) else None
    return Console(highlight=False, file=stream)


class _Filtered:
    """A stream with a filter for what is written."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self.stream = stream
        self.clean = clean

    def write(self, text: str) -> int:
        """Write filtered text."""
        return self.stream.write(self.clean(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def prepare_output() -> None:
    """Replace characters that the output cannot encode, and keep secrets out of tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a caller may have put anything in its place
            stream.reconfigure(errors="replace")
    if sys.stderr is not None:
        sys.stderr = _Filtered(sys.stderr, lambda text: _without_commands(redacted(text)))


def paint_plan(plan: Plan, *, is_whole: bool) -> None:
    """Print a plan; ``is_whole`` shows every step."""
    from kamal_pyinfra.plan.output.text import render_text

    paint(render_text(plan, is_whole=is_whole))


def paint(text: str) -> None:
    """Print the text of a plan; on a terminal with coloured symbols, and folded between words."""
    may_color = None if not os.environ.get("NO_COLOR") else False
    lines = printable(text).split("\n")
    if sys.stdout.isatty():
        lines = [part for line in lines for part in folded(line, shutil.get_terminal_size().columns)]
    for number, line in enumerate(lines):
        painted = CHANGE.sub(lambda found: f"  {click.style(found[1], fg=COLORS[found[1]], bold=True)} ", line)
        lines[number] = click.style(line, bold=True) if line.startswith("Plan") else painted
    click.echo("\n".join(lines), nl=False, color=may_color)


def folded(line: str, width: int) -> Iterator[str]:
    """Yield lines of a plan that fit: the cause of a change goes below its subject."""
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


def more(error: KpError) -> str:
    """Return where an error is explained, in the terminal and on a page."""
    name = type(error).__name__
    return f"More: kp docs {name}  (docs/reference/troubleshooting.md#{name.lower()})"


def error_page(name: str) -> str | None:
    """Return the page of an error class, or of ``errors``; ``None`` for other names. ``errors#lockheld`` works too."""
    wanted = name.removeprefix("errors#").lower()
    about, *sections = files("kamal_pyinfra.cli").joinpath("pages/errors.md").read_text("utf-8").split("\n## ")
    if wanted == "errors":
        return about.partition("-->\n\n")[2].rstrip() + "\n"
    pages = {section.partition("\n")[0].lower(): section for section in sections}
    known = {error.__name__.lower() for error in KpError.__subclasses__()}
    return f"## {pages[wanted].rstrip()}\n" if wanted in known & pages.keys() else None


def is_yes(question: str, *, err: bool = False) -> bool:
    """Return whether the user answers ``y``; raise ConfigError if there is no input to read the answer from."""
    try:
        return click.confirm(question, default=False, err=err)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise ConfigError("there was no answer; add -y to go on without a question") from None
        raise


def age(since: str, now: datetime) -> str:
    """Return the time since a moment in the largest unit that fits: ``2026-11-23T10:00:00.123456789Z`` → ``3 h``."""
    if not since:
        return ""
    seconds = (now - type(now).fromisoformat(f"{since[:19]}+00:00")).total_seconds()
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    return f"{max(int(seconds // size), 0)} {unit}"


def duration(seconds: float) -> str:
    """Return a duration as text: ``4.2 s``, ``1 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s"
