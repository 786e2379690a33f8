"""The one redactor, fed with the configuration: values of secrets are in nothing that kp prints or writes down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

REDACTED = "[REDACTED]"
SHORTEST = 4  # what is shorter is in half of all words
SHORTEST_INSIDE = 8  # what is shorter is hidden as a whole word alone (GitLab masks no variable that is shorter)
COMMON = frozenset(
    (
        *("true", "false", "none", "null", "undefined", "default", "enabled", "disabled", "info", "warn", "warning"),
        *("error", "debug", "trace", "test", "prod", "production", "staging", "development", "local", "localhost"),
        *("127.0.0.1", "root", "admin", "user", "http", "https", "redis", "mysql", "postgres", "main"),
    )
)
"""Values that hide nothing, and would blank what is worth reading."""
ENCODED_WIDTHS = (64, 76)  # where programs break lines of base64: PEM files, and `base64` itself


class Redactor:
    """Knows secrets, in the forms in which programs print them."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._open: set[str] = set()
        self._forms: tuple[str, ...] | None = None

    def learn(self, values: Iterable[str], *, open_words: Iterable[str] = ()) -> None:
        """Hide more values, line by line, but open words as a whole value: names of services and hosts and the like."""
        self._values.update(dict.fromkeys(values))
        self._open.update(word.casefold() for word in open_words)
        self._forms = None

    def forget(self) -> None:
        """Hide nothing any more."""
        self.__init__()  # type: ignore[misc] # as it began

    def __call__(self, text: str) -> str:
        """Return the text without any of the values."""
        if self._forms is None:
            self._forms = tuple(sorted(self._every_form(), key=lambda form: (-len(form), form)))
        for form in self._forms:
            if form in text and len(form) >= SHORTEST_INSIDE:
                text = text.replace(form, REDACTED)
            elif form in text:
                text = re.sub(rf"(?<![^\W_]){re.escape(form)}(?![^\W_])", REDACTED, text)
        return text

    def _every_form(self) -> set[str]:
        hidden = (line for value in self._values for line in _lines(value))
        lines = {line for line in hidden if line.casefold() not in COMMON | self._open}
        encoded = {form for value in self._values for form in _encoded(value)}
        return {form for form in encoded.union(*map(_spelled, lines)) if len(form) >= SHORTEST}


redacted = Redactor()  # of this process


def _lines(value: str) -> Iterator[str]:
    """Each line of a value, and of one in which line breaks are spelled; not the marks around a key."""
    for line in (*value.splitlines(), *value.replace("\\r", "").split("\\n")):
        text = line.strip()
        if len(text) >= SHORTEST and not (text.startswith("-----") and text.endswith("-----")):
            yield text


def _spelled(line: str) -> set[str]:
    """How shells, JSON, Python, URLs and HTML write a line."""
    import html
    import json
    from urllib.parse import quote, quote_plus

    text, printable = line.encode(errors="surrogateescape"), "".join(filter(str.isprintable, line))
    return {
        *(line, printable, line.replace("'", "'\\''"), line.replace("'", "'\"'\"'")),
        *(json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1], repr(line)[1:-1], html.escape(line)),
        *(quote(text, safe=""), quote(text), quote_plus(text), line.replace("\\", "\\\\").replace("$", "\\$")),
    }


def _encoded(value: str) -> Iterator[str]:
    """Base64 of a value, wherever it stands in what was encoded, as ``user:password`` of a registry."""
    from base64 import b64encode, urlsafe_b64encode

    raw = value.encode(errors="surrogateescape")
    if len(raw) < SHORTEST_INSIDE:
        return
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * before + raw).decode()
            yield whole[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
    whole = b64encode(raw).decode()
    for width in ENCODED_WIDTHS:
        yield from (part for start in range(0, len(whole), width) if len(part := whole[start : start + width]) == width)
