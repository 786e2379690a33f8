"""What the tags of ERB stand for: a variable, the text of a file of the project, an answer of git."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kamal_pyinfra.config.erb import Constant, FileText, GitAnswer, Lookup, Value
from kamal_pyinfra.config.git import answer

MOST_BYTES = 100_000
"""More than that fits on no command line."""


class Unanswered(Exception):
    """A tag has no value; the text says why and what to do."""


@dataclass(frozen=True)
class Values:
    """Gives tags their values.

    Args:
        environ: names and values.
        root: the project's folder; files are read inside it alone.
        answers: what git has said already.
    """

    environ: Mapping[str, str]
    root: Path
    answers: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, tag: Value) -> str:
        """The value of a tag.

        Raises:
            Unanswered: it has none.
        """
        if isinstance(tag, Lookup):
            return self.variable(tag)
        if isinstance(tag, FileText):
            return self.file(tag)
        return tag.text if isinstance(tag, Constant) else self.git(tag)

    def variable(self, lookup: Lookup) -> str:
        """The value of a variable, or the default."""
        found = self.environ.get(lookup.name, lookup.default)
        if found is None:
            raise Unanswered(f"{lookup.name} is not set; add it to .env or export it")
        return found

    def file(self, asked: FileText) -> str:
        """The text of a file inside the project's folder."""
        try:
            text = self.read(asked.path, asked.way_out)
        except OSError as error:
            raise Unanswered(f"{asked.path} cannot be read: {error.strerror}; {asked.way_out}") from None
        return text.strip() if asked.is_trimmed else text

    def read(self, name: str, way_out: str) -> str:
        """The text of a file by its name."""
        root, path = (Path(os.path.realpath(each)) for each in (self.root, self.root / name))  # also of links in a ring
        if Path(name).is_absolute() or not path.is_relative_to(root):
            raise Unanswered(f"{name} is outside the project's folder and is not read; {way_out}")
        if not path.exists():
            raise Unanswered(f"{name} does not exist; add the file, or {way_out}")
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unanswered(f"{name} is no file that can be read; {way_out}")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise Unanswered(f"{name} is larger than {MOST_BYTES // 1000} kB, which no value may be; {way_out}")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise Unanswered(f"{name} is not text; {way_out}")
        return text

    def git(self, asked: GitAnswer) -> str:
        """What git says of the project."""
        if asked.arguments not in self.answers:
            said = answer(self.root, *asked.arguments)
            if said.error is not None:
                raise Unanswered(f"git has no answer ({said.error}); {asked.way_out}")
            self.answers[asked.arguments] = said.text
        text = self.answers[asked.arguments]
        return text[: asked.length] if asked.is_trimmed or asked.length is not None else f"{text}\n"
