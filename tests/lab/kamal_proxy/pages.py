"""The pages that the proxy answers with itself: its own, and those of a service."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from .exchange import phrase

CONDITION = re.compile(
    r"\{\{-?\s*if\s+\.Message\s*-?\}\}(.*?)(?:\{\{-?\s*else\s*-?\}\}(.*?))?\{\{-?\s*end\s*-?\}\}", re.DOTALL
)
MESSAGE = re.compile(r"\{\{-?\s*\.Message\s*-?\}\}")


class PagesError(Exception):
    """A folder has no usable pages."""


def load(folder: str) -> dict[str, str]:
    """Read a service's pages; a folder without any is refused."""
    found = {path.name: path.read_text(errors="replace") for path in sorted(Path(folder).glob("*.html"))}
    if not found:
        raise PagesError
    for text in found.values():
        if text.count("{{") != text.count("}}"):
            raise PagesError
    return found


def render(template: str, message: str) -> str:
    """Fill in the message, which is text and not HTML."""
    chosen = CONDITION.sub(lambda found: (found[1] if message else found[2]) or "", template)
    return MESSAGE.sub(lambda _: _as_text(message), chosen)


def page(status: int, message: str, own: dict[str, str]) -> str:
    """Return the page for a status: the service's, or the proxy's."""
    template = own.get(f"{status}.html")
    if template is not None:
        return render(template, message)
    text = f"<p>{_as_text(message)}</p>" if message and status == 503 else ""
    return f"<h1>{status} {phrase(status)}</h1>{text}"


def _as_text(message: str) -> str:
    """Escape as Go's templates do."""
    return escape(message).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
