"""What is said of each kind of error: its cause, and what to do next."""

from __future__ import annotations

from importlib.resources import files

from kamal_pyinfra.errors import KpError

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
