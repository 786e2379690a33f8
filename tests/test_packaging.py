"""What is built for users: every byte the same wherever it is built, and everything in it that kp reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from kamal_pyinfra import __version__

ROOT = Path(__file__).parent.parent
PARTS = ["kamal_pyinfra", "deploys", "docs", "examples"]
WHEEL = f"kamal_pyinfra-{__version__}-py3-none-any.whl"
SDIST = f"kamal_pyinfra-{__version__}.tar.gz"


def build(folder: Path, mode: int) -> Path:
    """Build in a copy whose files are new and have another mode."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "pyproject.toml", ROOT / ".gitignore"):
        shutil.copyfile(path, folder / path.name)
    for path in folder.rglob("*.py"):
        path.chmod(mode)
    command = [sys.executable, "-m", "hatchling", "build", "--directory", "dist"]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=60, check=True)
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("one"), 0o644)


def test_two_builds_are_the_same(dist: Path, tmp_path: Path) -> None:
    again = build(tmp_path, 0o600)
    assert sorted(path.name for path in dist.iterdir()) == [WHEEL, SDIST]
    assert [(again / name).read_bytes() == (dist / name).read_bytes() for name in (WHEEL, SDIST)] == [True, True]


def test_the_wheel_has_every_file_of_the_package_and_no_other(dist: Path) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kamal_pyinfra").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in zipfile.ZipFile(dist / WHEEL).namelist() if ".dist-info/" not in name}
    assert found == wanted
    assert {"kamal_pyinfra/py.typed", "kamal_pyinfra/project/templates/hooks/pre-deploy.sample"} <= found


def test_the_wheel_says_what_it_is(dist: Path) -> None:
    wheel = zipfile.ZipFile(dist / WHEEL)
    about = message_from_bytes(wheel.read(f"kamal_pyinfra-{__version__}.dist-info/METADATA"))
    assert about["Version"] == __version__
    assert about["Requires-Python"] == ">=3.11"
    classifiers = about.get_all("Classifier")
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} | {"Typing :: Typed"} <= {
        *classifiers
    }
    assert b"kp = kamal_pyinfra.__main__:main" in wheel.read(f"kamal_pyinfra-{__version__}.dist-info/entry_points.txt")


def test_the_sdist_can_be_built_and_read(dist: Path) -> None:
    with tarfile.open(dist / SDIST) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "kamal_pyinfra/__init__.py"} <= names
    assert not [name for name in names if name.startswith((".", "tests/")) and name != ".gitignore"]


def test_the_changelog_begins_with_the_version() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].split()[1] == __version__
