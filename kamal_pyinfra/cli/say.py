"""The one way to a terminal: nothing is printed that it would obey, wherever the text came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kamal_pyinfra.plan.text import one_line, sanitized, sanitized_json

if TYPE_CHECKING:
    from rich.text import Text


def say(text: str, *, nl: bool = True, err: bool = False, **style: Any) -> None:
    """Print text that may come from anywhere.

    Args:
        text: one or more lines.
        nl: whether a line break follows.
        err: on standard error.
        style: of ``click.style``.
    """
    click.secho(sanitized(text), nl=nl, err=err, **style)


def say_json(text: str) -> None:
    """Print JSON; what a terminal would obey is spelled, and means the same."""
    click.echo(sanitized_json(text))


def cell(text: str, style: str = "") -> Text:
    """A cell of a table, in which brackets are brackets."""
    from rich.text import Text

    return Text(one_line(text), style=style)
