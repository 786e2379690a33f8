"""The documentation says what the code does: options, errors, links, names of files and functions."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from kamal_pyinfra import errors
from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.errors import Interrupted, KpError, LockLost
from kamal_pyinfra.plan.state.observed import LockDetails
from tests.test_layers import LAYERS

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("examples/*/*.md"))]
GENERATED = [
    "scripts/config_reference.py",
    "scripts/plan_schema.py",
    "scripts/events_schema.py",
    "scripts/cli_reference.py",
    "scripts/plan_blocks.py",
    "scripts/kamal_parity.py",
    "scripts/error_pages.py",
    "scripts/screenshots.py",
    "scripts/cast_svg.py",
    "scripts/families.py",
]
SPELLING = re.compile(r"--?[a-zA-Z][\w-]*")


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic resolves the types of its classes there
    spec.loader.exec_module(module)
    return module


CLI = script("scripts/cli_reference.py")
COMMANDS = dict(CLI.commands(kp, "kp"))
OPTIONS = [
    pytest.param(path, option, id=f"{path} {option.opts[-1]}")
    for path, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option)
]


def section(page: str, title: str) -> str:
    text = (ROOT / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert text, f"{page} has no section {title}"
    return text


@pytest.mark.parametrize("path", GENERATED)
def test_the_generated_pages_are_current(path: str) -> None:
    assert script(path).main(["--check"]) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_sentence_and_an_example_in_its_help_and_on_the_page(command: str) -> None:
    help_text = CliRunner().invoke(kp, [*command.split()[1:], "--help"]).output
    about, _, example = help_text.partition("Example:")
    assert re.search(r"^  [A-Z].*", about, re.M)
    assert about.strip().endswith(".") or about.strip().endswith("so.")
    assert f"\n    {command}" in example
    text = section("docs/reference/cli.md", command)
    assert f"```text\n{command} " in text
    assert f"```console\n$ {command}" in text


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_has_a_help_sentence_and_is_on_the_page(command: str, option: click.Option) -> None:
    assert re.fullmatch(r"[A-Z].*(\.|\])", option.help or "")
    text = section("docs/reference/cli.md", command)
    if "(#common-options)" in text:
        text += section("docs/reference/cli.md", "Common options")
    documented = {spelling for line in text.splitlines() for spelling in SPELLING.findall(line.partition("|")[2])}
    assert documented >= {*option.opts, *option.secondary_opts}


def test_options_that_are_not_there_are_not_on_the_page() -> None:
    known = {spelling for command in COMMANDS.values() for option in command.params for spelling in option.opts}
    rows = re.findall(r"^\| `(-[^`]*)` \|", (ROOT / "docs/reference/cli.md").read_text(), re.M)
    assert {spelling for row in rows for spelling in SPELLING.findall(row)} == {
        spelling for spelling in known if spelling.startswith("-")
    }


def test_commands_named_in_the_documentation_exist() -> None:
    groups = {path for path, command in COMMANDS.items() if isinstance(command, click.Group)}
    for page in PAGES:
        for line in re.findall(r"(?:^\$ |`)(kp [a-z][^`\n]*)", page.read_text(), re.M):
            words = line.split()
            path = " ".join(words[:3]) if " ".join(words[:2]) in groups and len(words) > 2 else " ".join(words[:2])
            assert path.rstrip(",") in COMMANDS, f"{page.name}: {line}"


def test_every_error_class_is_explained_with_its_exit_code() -> None:
    text = (ROOT / "docs/reference/troubleshooting.md").read_text()
    for error in KpError.__subclasses__():
        code = f"{Interrupted(2).code}, {Interrupted(15).code}" if error is Interrupted else str(error.exit_code)
        assert f"\n| `{error.__name__}` | {code} |" in text
        assert f"\n## {error.__name__}\n" in text
        assert error.__name__ in errors.__doc__


def test_messages_are_shown_as_they_are_printed() -> None:
    from kamal_pyinfra.local.hooks import STATES
    from kamal_pyinfra.runner.failures import HostFailure, failure_message, lock_message
    from kamal_pyinfra.shell.script import functions

    text = (ROOT / "docs/reference/troubleshooting.md").read_text()
    held = LockDetails(
        locked_by="Dev at 2026-05-01T10:00:00Z",
        version="v2",
        message="Automatic deploy lock",
        holder="laptop 4242 x",
        command="deploy",
        seconds_left=94,
    )
    assert lock_message(held) in text
    assert str(LockLost()).splitlines()[0] in text
    assert str(Interrupted(2)) in text
    failure = HostFailure(host="HOST", phase="PHASE", operation="OPERATION", output=("the host's last output",))
    assert failure_message([failure], "STATE OF THE FLEET") in text
    assert STATES["pre-deploy"] in text
    complaint = re.search(r"Image registry.example.com/acme/shop:v2 .*", text)[0]
    printed = functions("require_label").replace("$1", "registry.example.com/acme/shop:v2").replace("$2", "shop")
    assert complaint in printed


def source_texts() -> str:
    package = ROOT / "kamal_pyinfra"
    return "\n".join(path.read_text() for path in (*package.rglob("*.py"), *package.rglob("*.sh")))


@pytest.mark.parametrize(
    "sentence",
    [
        "Nothing was changed.",
        "All hosts run what they ran before; the new containers are gone.",
        "Nothing was switched: what served before serves now.",
        "serves, but not every host was cleaned up.",
        "run `kp setup` first.",
        "docker is not installed",
        "contradicts the running proxy of",
        "is not on the host",
        "stopped before it was ready",
        "health check exited",
        "last lines of its log:",
        "is not set; ",
        "Can't use commit hash as version, ",
        "no git repository found in ",
        "Docker is not installed on this machine: ",
        "Boot the primary role",
        "Pull the image",
    ],
)
def test_a_quoted_message_is_in_the_code(sentence: str) -> None:
    assert sentence in " ".join((ROOT / "docs/reference/troubleshooting.md").read_text().split())
    assert sentence in source_texts()


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_says_what_it_is_in_three_sentences_and_has_the_two_commands_of_make() -> None:
    text = (ROOT / "README.md").read_text()
    lines = text.splitlines()
    assert lines[0].startswith("# ")
    assert [line[-1:] for line in lines[2:6]] == [".", ".", ".", ""]
    assert "\n```console\n$ make demo\n$ make test\n```\n" in text
    assert len(re.findall(r"^- \[.*\]\(.*\)$", text, re.M)) == 6


def test_targets_of_make_named_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for page in PAGES for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())}
    assert {"demo", "test"} <= named <= targets


def test_every_page_is_linked_from_the_list_of_pages() -> None:
    contents = ROOT / "docs/contents.md"
    links = {(contents.parent / link).resolve() for link in re.findall(r"\]\(([^)\s]+)\)", contents.read_text())}
    pages = {page for page in (ROOT / "docs").rglob("*") if page.suffix in (".md", ".json")} - {contents}
    assert sorted(pages - links) == []
    assert "(docs/contents.md)" in (ROOT / "README.md").read_text()


def test_the_five_files_of_the_followed_key_have_their_functions() -> None:
    rows = re.findall(
        r"^\| (\d) \| `([^`]+)` \| `([^`]+)` \|", (ROOT / "docs/contribute/mechanisms.md").read_text(), re.M
    )
    assert [number for number, _, _ in rows] == ["1", "2", "3", "4", "5"]
    for _, path, function in rows:
        nodes = ast.walk(ast.parse((ROOT / path).read_text()))
        assert function in {node.name for node in nodes if isinstance(node, ast.FunctionDef)}, path


def test_files_of_the_package_named_in_the_documentation_exist() -> None:
    for page in PAGES:
        for path in re.findall(r"`((?:kamal_pyinfra|scripts|deploys|docs|examples|tests)/[\w./-]*)`", page.read_text()):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_the_layers_on_the_page_are_those_of_the_imports_in_their_order() -> None:
    page = (ROOT / "docs/contribute/architecture.md").read_text()
    assert re.findall(r"^\| `(\w+)(?:/|\.py)` \|", page, re.M) == LAYERS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_there_are_no_secrets_and_no_addresses_of_somebody(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16}|dckr_pat_", text)
    assert not re.search(r"(?i)(password|token|secret(_key)?)=(?!\.\.\.|\s|$|'|`)\w", text)
    addresses = re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)
    assert all(address.startswith("192.0.2.") for address in addresses)
    text = text.replace("install -y pipx git docker.io\n", "")  # a package of Debian
    hosts = re.findall(r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev)\b", text)
    assert {host for host in hosts if not host.endswith(("example.com", "gnu.org"))} <= {"get.docker.com"}
    assert not re.search(r"(?<![\w./])/(work|home|root)/", text)


def test_the_facts_in_the_documentation_are_public() -> None:
    from kamal_pyinfra import facts

    page = (ROOT / "docs/use/pyinfra.md").read_text()
    assert set(re.findall(r"kamal_pyinfra\.facts\.(\w+)", page)) <= set(facts.__all__)
    assert all(name in page for name in facts.__all__)


def test_the_scripts_of_the_documentation_exist() -> None:
    page = (ROOT / "docs/use/pyinfra.md").read_text()
    assert {path.name for path in (ROOT / "deploys").glob("*.py")} == set(re.findall(r"`(\w+\.py)`", page)) - {
        "inventory.py",
        "config.py",
    }


def test_scripts_docs_checks_all_of_it() -> None:
    done = subprocess.run(
        [ROOT / "scripts/docs", "--check"], env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"}, check=False
    )
    assert done.returncode == 0
    assert all(path in (ROOT / "scripts/docs").read_text() for path in GENERATED)
