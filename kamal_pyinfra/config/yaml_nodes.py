"""Text → PyYAML nodes, with every way in which that can fail as one located line."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from kamal_pyinfra.config.problems import Problem
from kamal_pyinfra.config.tree import Position

MAX_DEPTH = 40
MAX_BYTES = 1_000_000


TAB = "found character '\\t' that cannot start any token"
DOCUMENT_END = re.compile(r"(\.\.\.|---)(?=\s|\Z)")
ENDS = {"...": "`...` ends the file here", "---": "`---` begins a second document here"}


class Loader(yaml.SafeLoader):
    """PyYAML's own, with a limit on nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node unless it is too deep."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # PyYAML has no types here
            raise yaml.MarkedYAMLError(problem="too_deep", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_text(path: Path) -> str | Problem:
    """The text of a file, or why there is none."""
    start = Position(str(path), 1, 1)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Problem(start, "", f"Configuration file not found in {path}")
    except OSError as error:
        return Problem(start, "", f"cannot be read: {error.strerror}")
    if len(content) > MAX_BYTES:
        return Problem(start, "", f"larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        return Problem(Position(str(path), line, column), "", "is not valid UTF-8")


def parse(text: str, file: str) -> yaml.Node | Problem:
    """The document's root node, or the first problem that keeps YAML from being read."""
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        return syntax_problem(error, text, file)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = Position(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        return Problem(position, "", f"the character #x{error.character:04x} is not allowed in YAML")
    except (ValueError, OverflowError):  # PyYAML on "\\UFFFFFFFF" and on %YAML with a huge number
        return Problem(Position(file, 1, 1), "", "not valid YAML: a number or an escape is out of range")
    if node is None:
        return Problem(Position(file, 1, 1), "", "the file is empty")
    return node


def syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """What PyYAML says in two lines and a drawing, in one line."""
    mark = error.problem_mark or error.context_mark
    position = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
    if error.problem == "too_deep":
        return Problem(position, "", f"nested more than {MAX_DEPTH} levels deep")
    tab = tab_in_indentation(text, position.line)
    if tab is not None:
        return Problem(Position(file, *tab), "", "a tab in the indentation; YAML wants spaces")
    if error.problem == TAB:
        return Problem(position, "", "a tab between words; YAML wants spaces there")
    end = document_end(text, position.line)
    if end is not None:
        marker, line = end
        return Problem(Position(file, line, 1), "", f"{ENDS[marker]}; what follows is not read: take the line out")
    context = f" ({error.context})" if error.context else ""
    return Problem(position, "", f"not valid YAML: {error.problem}{context}".replace("\n", " "))


def tab_in_indentation(text: str, line: int) -> tuple[int, int] | None:
    """Line and column of a tab that indents the given line or the one before it."""
    lines = text.split("\n")
    for number in range(max(1, line - 1), min(line, len(lines)) + 1):
        content = lines[number - 1]
        indentation = content[: len(content) - len(content.lstrip())]
        if "\t" in indentation and content.strip():
            return number, indentation.index("\t") + 1
    return None


def document_end(text: str, line: int) -> tuple[str, int] | None:
    """The marker that ends the first document before a line, or on it, and the marker's line."""
    is_begun = False
    for number, content in enumerate(text.split("\n")[:line], 1):
        marker = DOCUMENT_END.match(content)
        if marker and (is_begun or marker[1] == "..."):
            return marker[1], number
        is_begun = is_begun or marker is not None or content.strip()[:1] not in ("", "#", "%")
    return None
