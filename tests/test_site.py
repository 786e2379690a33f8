"""The site has every page, no link of it is broken, and its recipes are made of commands that there are."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from kamal_pyinfra.cli.main import kp

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md"))
)
OUTSIDE = {"index.md", "reference/changelog.md", "contribute/contributing.md", "trust/threats.md"}
KEYS_OF_A_JOB = {"GitHub Actions": "jobs", "GitLab CI": "deploy"}


def navigation(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from navigation(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} | OUTSIDE
    pages |= {f"examples/{path.parent.name}.md" for path in ROOT.glob("examples/*/README.md")}
    found = list(navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(found) == sorted(pages)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "../images/data-flow.svg" in (tmp_path / "contribute/architecture.html").read_text()
    assert 'href="start/quickstart.html"' in (tmp_path / "index.html").read_text()
    assert 'href="examples/three-roles.html"' in (tmp_path / "index.html").read_text()


def test_pictures_fetch_nothing_from_elsewhere() -> None:
    for image in (ROOT / "docs/images").iterdir():
        assert image.suffix == ".svg"
        assert re.findall(r"""(?:href=|src=|url\(|@import )\s*["']?\s*(?:https?:)?//[^"')]+""", image.read_text()) == []


def test_every_picture_is_on_a_page() -> None:
    pages = "\n".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    assert [path.name for path in (ROOT / "docs/images").iterdir() if f"(../images/{path.name})" not in pages] == []


def recipes() -> dict[str, dict[str, Any]]:
    text = (ROOT / "docs/use/ci.md").read_text()
    found = re.findall(r"^## ([^\n]+)\n\n```yml\n(.*?)^```", text, re.S | re.M)
    return {title: yaml.safe_load(block) for title, block in found}


def commands_of(value: Any) -> Iterator[list[str]]:
    """Every call of kp anywhere in a recipe."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from commands_of(each)
    elif isinstance(value, str):
        for line in re.findall(r"^kp [^|\n]*", value, re.M):
            yield shlex.split(line)[1:]


def typed_commands(page: str) -> Iterator[list[str]]:
    """Every call of kp after a prompt; what comes behind a pipe or `>` is no word of it."""
    for line in re.findall(r"^\$ (?:\w+=\S* )?(kp .*)", (ROOT / page).read_text(), re.M):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&>")
        lexer.whitespace_split = True
        words = list(lexer)
        while words:
            end = next((number for number, word in enumerate(words) if word in ("|", "&&", ">")), len(words))
            if words[0] == "kp":
                yield words[1:end]
            words = words[end + 1 :]


def parsed(words: list[str]) -> click.Context:
    """A call as click reads it; it raises what is wrong with it."""
    context = kp.make_context("kp", list(words))
    command: click.Command = kp
    rest = words
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        if isinstance(command, click.Group):
            context = command.make_context(rest[0] if rest else "", list(rest), parent=context)
    return command.make_context(command.name, list(rest), parent=context)


@pytest.mark.parametrize(("title", "key"), KEYS_OF_A_JOB.items())
def test_a_recipe_plans_and_deploys_with_options_that_there_are(title: str, key: str) -> None:
    recipe = recipes()[title]
    assert key in recipe
    called = list(commands_of(recipe))
    assert [words[0] for words in called] == ["plan", "deploy"]
    assert all(parsed(words) for words in called)
    assert "--lock-wait" in called[1]


@pytest.mark.parametrize("page", [page for page in PAGES if any(typed_commands(page))])
def test_commands_of_a_page_have_options_that_there_are(page: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plan.json", "load.json"):
        (tmp_path / name).write_text("{}")
    called = list(typed_commands(page))
    assert called
    assert all(parsed(words) for words in called)


@pytest.mark.parametrize(
    "block", re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/use/cookbook.md").read_text(), re.S | re.M)
)
def test_what_a_script_of_the_cookbook_imports_is_there(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kamal_pyinfra"):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
