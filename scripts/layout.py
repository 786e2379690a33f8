"""Counts what makes the package easy or hard to find one's way in: ``python scripts/layout.py [FOLDER]``."""

from __future__ import annotations

import ast
import io
import keyword
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = "kamal_pyinfra"
WAYS = {
    "kp deploy": (
        *(
            "__main__",
            "cli/main",
            "cli/commands/deploy",
            "cli/options",
            "config/load",
            "local/new_run",
            "runner/deploy",
        ),
        *("runner/session", "facts/snapshot", "plan/plan", "runner/rollout", "deploys/phases", "operations/app"),
        *("shell/rollout", "shell/container", "ssh/connection"),
    ),
    "pyinfra deploys/deploy.py": (
        *("inventory", "ssh/host_data", "deploys/scripts", "deploys/pyinfra_cli/arguments", "local/new_run"),
        *("deploys/pyinfra_cli/rollout", "deploys/phases", "operations/app", "shell/rollout", "shell/container"),
        "ssh/connection",
    ),
}
"""The files that a reader opens, from what is typed to the bytes of `docker run`."""
CONCEPTS = {
    "Task": "plan/tasks/table",
    "Step": "plan/tasks/table",
    "TaskDecision": "plan/plan",
    "Change": "plan/changes",
    "applied": "operations/apply",
}
"""What somebody has to know who adds a small command, and where each is defined."""
UNSHAPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
REPEATED_LINES = 6
"""Lines of code of one shape, whatever their names and values, that make a passage."""


def main(arguments: list[str]) -> int:
    """Print a row for each figure."""
    top = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    files = sorted((top / PACKAGE).rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    rows = {**sizes(top, texts), **imports(top, texts), **ways(top), **concepts(top), **repeated(texts.values())}
    width = max(map(len, rows))
    sys.stdout.writelines(f"{name:{width}}  {value}\n" for name, value in rows.items())
    return 0


def sizes(top: Path, texts: Mapping[Path, str]) -> dict[str, str]:
    """How many files and lines there are, and where most of them are."""
    lines = {path: len(text.splitlines()) for path, text in texts.items()}
    folders = Counter(path.parent for path in texts)
    fullest, most = folders.most_common(1)[0]
    largest = max(lines, key=lambda path: lines[path])
    functions = sorted(length for text in texts.values() for length in function_lengths(text))
    return {
        "files": f"{len(texts)} (package markers: {sum(is_marker(path, texts[path]) for path in texts)})",
        "lines": f"{sum(lines.values())}",
        "lines of a file": f"{sum(lines.values()) / len(lines):.0f} on average, {lines[largest]} at most "
        f"({largest.relative_to(top)})",
        "fullest folder": f"{most} files ({fullest.relative_to(top)})",
        "lines of a function": f"{functions[len(functions) // 2]} in the median, "
        f"{functions[len(functions) * 9 // 10]} in nine of ten, {functions[-1]} at most",
    }


def ways(top: Path) -> dict[str, str]:
    """How many files a reader opens for each way, and which of them are not there."""
    rows = {}
    for way, names in WAYS.items():
        missing = [name for name in names if not (top / PACKAGE / f"{name}.py").is_file()]
        rows[f"files on the way of {way}"] = f"{len(names)}{f', without {missing}' if missing else ''}"
    return rows


def concepts(top: Path) -> dict[str, str]:
    """How many things a small command is made of, and which of them are not where they are expected."""
    files = {name: top / PACKAGE / f"{place}.py" for name, place in CONCEPTS.items()}
    missing = [name for name, path in files.items() if not (path.is_file() and defines(path.read_text(), name))]
    return {"concepts of a small command": f"{len(CONCEPTS)}{f', without {missing}' if missing else ''}"}


def defines(text: str, name: str) -> bool:
    """Whether a function or class of that name stands at the top of a file."""
    return any(getattr(node, "name", None) == name for node in ast.parse(text).body)


def repeated(texts: Iterable[str]) -> dict[str, str]:
    """How many lines of code begin a passage that stands, in its shape, at another place too."""
    passages: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        shapes = list(line_shapes(text))
        passages.update(
            tuple(shapes[start : start + REPEATED_LINES]) for start in range(len(shapes) - REPEATED_LINES + 1)
        )
    return {f"passages of {REPEATED_LINES} lines that are repeated": str(sum(n for n in passages.values() if n > 1))}


def line_shapes(text: str) -> Iterator[str]:
    """Each line of code with a mark in place of its names and values; imports, comments and docstrings are left out."""
    left_out = {*import_lines(text), *docstring_lines(text)}
    lines: dict[int, list[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.start[0] not in left_out and token.type not in UNSHAPED:
            is_word = token.type == tokenize.NAME and keyword.iskeyword(token.string)
            is_sign = token.type == tokenize.OP or is_word
            lines.setdefault(token.start[0], []).append(token.string if is_sign else "_")
    return (" ".join(words) for _, words in sorted(lines.items()) if len(words) > 1)


def docstring_lines(text: str) -> Iterator[int]:
    """The numbers of the lines that hold a text by itself."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def is_marker(path: Path, text: str) -> bool:
    """Whether a file only makes its folder a package."""
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in ast.parse(text).body)


def function_lengths(text: str) -> Iterator[int]:
    """The lines of each function without its docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = node.body[0].lineno if ast.get_docstring(node) is None else (node.body[0].end_lineno or 0) + 1
            yield (node.end_lineno or 0) - start + 1


def imports(top: Path, texts: Mapping[Path, str]) -> dict[str, str]:
    """How files depend on each other, imports for types and inside functions included."""
    modules = {module_name(top, path): path for path in texts}
    arrows = {name: imported(texts[path], set(modules)) - {name} for name, path in modules.items()}
    count = sum(sum(1 for _ in import_lines(text)) for text in texts.values())
    circles = circular(arrows)
    shown = "; ".join(" - ".join(sorted(name.removeprefix(f"{PACKAGE}.") for name in circle)) for circle in circles)
    return {
        "imports from file to file": str(sum(map(len, arrows.values()))),
        "share of lines that import": f"{100 * count / sum(len(text.splitlines()) for text in texts.values()):.0f} %",
        "circles between files": f"{len(circles)}{f' ({shown})' if circles else ''}",
    }


def module_name(top: Path, path: Path) -> str:
    """How a file is imported."""
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_lines(text: str) -> Iterator[int]:
    """The numbers of the lines that hold imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def imported(text: str, modules: set[str]) -> set[str]:
    """The files that this text imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return found & modules


def circular(arrows: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of files that import each other, directly or through others."""
    reach = {name: reachable(name, arrows) for name in arrows}
    groups: list[set[str]] = []
    for name in arrows:
        group = {other for other in reach[name] if name in reach[other]}
        if group and group not in groups:
            groups.append(group)
    return groups


def reachable(start: str, arrows: Mapping[str, set[str]]) -> set[str]:
    """What is imported from there, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in arrows[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
