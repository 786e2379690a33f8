"""Who may import whom, what must not be imported at all, and how long a file and a function may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import layout
import pytest
import yaml

import kamal_pyinfra
from tests.conftest import LEAST, SECRETS

PACKAGE = Path(kamal_pyinfra.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    *("errors", "config", "naming", "project", "plan", "insight", "shell", "facts", "ssh", "local"),
    *("operations", "deploys", "runner", "cli"),
]
BESIDE = {"__init__": "errors", "redactor": "errors", "text": "errors", "inventory": "deploys", "__main__": "cli"}
"""Modules that are not layers of their own: each may import what the layer beside it may."""

FILE_LINES = 400
FOLDER_FILES = 16
FUNCTION_LINES = 25


def names(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


every_file = pytest.mark.parametrize("path", FILES, ids=names)


def layer(module: tuple[str, ...]) -> int:
    """The place of a module's layer, counted from the left; ``module`` is its path inside the package."""
    name = module[0] if module and module[0] != "__version__" else "__init__"
    return LAYERS.index(BESIDE.get(name, name))


def inside_package(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def imported_modules(path: Path) -> Iterator[str]:
    """Every module that a file names in an import: at the top, in functions, for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{names(path)}:{node.lineno} is a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "kamal_pyinfra")


@every_file
def test_imports_go_one_way(path: Path) -> None:
    own = layer(inside_package(path))
    ours = [module for module in imported_modules(path) if module.split(".")[0] == "kamal_pyinfra"]
    assert [module for module in ours if layer(tuple(module.split(".")[1:])) > own and "." in module] == []


def test_no_file_leads_back_to_itself() -> None:
    """Imports for types and in functions count too."""
    modules = {layout.module_name(PACKAGE.parent, path): path.read_text() for path in FILES}
    arrows = {name: layout.imported(text, set(modules)) - {name} for name, text in modules.items()}
    assert layout.circular(arrows) == []


PURE = {"pyinfra", "click", "rich", "subprocess", "time", "random", "yaml", "os", "pathlib"}
FORBIDDEN = {
    "errors": {"pyinfra", "click", "rich", "subprocess", "time", "random", "yaml", "secrets", "datetime"},
    "config": {"pyinfra", "click", "rich", "time", "random"},
    "naming": {"pyinfra", "click", "rich", "subprocess", "time", "random", "yaml", "os", "secrets", "datetime"},
    "project": {"pyinfra", "click", "rich", "time", "random"},
    "plan": PURE | {"secrets", "datetime"},
    "insight": PURE | {"secrets"},
    "shell": PURE - {"pyinfra"},
    "facts": PURE - {"pyinfra"},
    "operations": {"click", "rich", "yaml"},
    "deploys": {"click", "rich", "yaml"},
}


@every_file
def test_pure_layers_know_neither_engine_nor_clock(path: Path) -> None:
    forbidden = FORBIDDEN.get(inside_package(path)[0], set())
    assert {module.split(".")[0] for module in imported_modules(path)} & forbidden == set()


@pytest.mark.parametrize("arguments", [["--help"], ["deploy", "--help"], ["version"], ["config", "-c", "deploy.yml"]])
def test_what_needs_no_host_does_not_import_pyinfra(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "deploy.yml").write_text(yaml.safe_dump(LEAST))
    script = (
        "import sys\nfrom kamal_pyinfra.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('IMPORTED', sorted({name.split('.')[0] for name in sys.modules} & {'pyinfra', 'gevent', 'paramiko'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **SECRETS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "IMPORTED []"


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def docstring_lines(node: Definition) -> int:
    first = node.body[0] if node.body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first.end_lineno - first.lineno + 1 if is_text else 0


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def definitions(module: ast.Module, *kinds: type[Any]) -> list[Any]:
    return [node for node in ast.walk(module) if isinstance(node, kinds)]


@every_file
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=names)
def test_a_folder_is_not_full(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= FOLDER_FILES


FIELD = re.compile(r"\s+\w+=.*,")


@every_file
def test_functions_are_short(path: Path) -> None:
    """Lines that only fill a field of a value are data, not steps, and are not counted."""
    lines = path.read_text().splitlines()
    functions = definitions(tree(path), ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {
        each.name: sum(not FIELD.fullmatch(line) for line in lines[each.lineno - 1 : each.end_lineno])
        - docstring_lines(each)
        for each in functions
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


@every_file
def test_no_assert_and_no_print(path: Path) -> None:
    module = tree(path)
    printed = [each.lineno for each in definitions(module, ast.Call) if getattr(each.func, "id", "") == "print"]
    assert [each.lineno for each in definitions(module, ast.Assert)] + printed == []


@every_file
def test_text_is_read_and_written_as_utf8_whatever_the_locale(path: Path) -> None:
    """Files of bytes are opened with a mode that says so; programs are heard with an encoding that is named."""
    calls = definitions(tree(path), ast.Call)
    assert [call.lineno for call in calls if opens_text(call) and "utf-8" not in constants(call)] == []
    assert [
        call.lineno for call in calls if "text" in {each.arg for each in call.keywords} and is_of(call, "subprocess")
    ] == []


def opens_text(call: ast.Call) -> bool:
    is_binary = any(isinstance(each, str) and re.fullmatch(r"[rwxa]\+?b\+?", each) for each in constants(call))
    name = getattr(call.func, "attr", "")
    return not is_binary and (
        name in ("read_text", "write_text", "fdopen") or (name == "open" and not is_of(call, "os"))
    )


def is_of(call: ast.Call, module: str) -> bool:
    return getattr(getattr(call.func, "value", None), "id", "") == module


def constants(call: ast.Call) -> list[Any]:
    values = [*call.args, *(each.value for each in call.keywords)]
    return [each.value for each in values if isinstance(each, ast.Constant)]


def test_a_reader_opens_few_files_from_what_is_typed_to_what_a_host_gets():
    assert layout.ways(PACKAGE.parent) == {
        "files on the way of kp deploy": "16",
        "files on the way of pyinfra deploys/deploy.py": "11",
    }


def test_a_small_command_is_made_of_five_things() -> None:
    assert layout.concepts(PACKAGE.parent) == {"concepts of a small command": "5"}


def test_passages_of_one_shape_are_counted_whatever_their_names() -> None:
    lines = [f"total{n} = first(1) + {n}" for n in range(6)]
    other = [f"sum_{n} = last(22) + 4" for n in range(6)]
    assert layout.repeated(["\n".join(lines), "\n".join(other)]) == {"passages of 6 lines that are repeated": "2"}
    assert layout.repeated(["\n".join(lines), "\n".join(other[:5])]) == {"passages of 6 lines that are repeated": "0"}
