"""What a package offers by name exists, is its own, is documented, and is all that it imports for others."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import kamal_pyinfra

PACKAGE = Path(kamal_pyinfra.__file__).parent


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


EXPORTING = [module_name(path) for path in sorted(PACKAGE.rglob("*.py")) if "__all__ =" in path.read_text()]
each_module = pytest.mark.parametrize("module", EXPORTING)


def imported(name: str) -> ModuleType:
    """The module; those that export import nothing that patches the standard library, as pyinfra_cli does."""
    return importlib.import_module(name)


def exported(module: ModuleType) -> dict[str, object]:
    return {name: getattr(module, name) for name in module.__all__}


def test_the_public_packages_say_what_they_offer() -> None:
    assert {"kamal_pyinfra", "kamal_pyinfra.config", "kamal_pyinfra.facts"} <= set(EXPORTING)


@each_module
def test_exports_are_sorted_and_exist(module: str) -> None:
    assert list(exported(imported(module))) == sorted(set(imported(module).__all__))


@each_module
def test_exports_come_from_this_package(module: str) -> None:
    homes = {name: inspect.getmodule(inspect.unwrap(each)) for name, each in things(module).items()}
    assert {
        name for name, home in homes.items() if home is None or home.__name__.split(".")[0] != "kamal_pyinfra"
    } == set()


@each_module
def test_exports_are_documented(module: str) -> None:
    assert {name for name, each in things(module).items() if not inspect.unwrap(each).__doc__} == set()


def things(module: str) -> dict[str, object]:
    """Exported functions and classes."""
    return {name: each for name, each in exported(imported(module)).items() if callable(each)}


@each_module
def test_everything_that_an_init_imports_by_name_is_exported(module: str) -> None:
    loaded = imported(module)
    if Path(loaded.__file__ or "").name != "__init__.py":
        return
    hidden = {"annotations"}
    visible = {name for name, each in vars(loaded).items() if not name.startswith("_") and not inspect.ismodule(each)}
    assert visible - hidden <= set(loaded.__all__)
