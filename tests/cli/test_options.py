"""Which version a command is about that needs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.cli.options import Options
from kamal_pyinfra.errors import ConfigError

DEPLOY = "service: shop\nimage: shop\nservers: [web1.example]\nregistry: {username: u, password: [PW]}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is in no git repository."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(DEPLOY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("VERSION", raising=False)
    return tmp_path


def options(**values: object) -> Options:
    given = {"config_file": "config/deploy.yml", "destination": None, "version": None, "hosts": (), "roles": ()}
    flags = dict.fromkeys(("primary", "verbose", "quiet", "skip_hooks"), False)
    return Options(**{**given, **flags, **values})


def test_without_git_and_variable_it_is_unknown(folder: Path) -> None:
    assert options().run_without_version("lock").version == "unknown"


def test_one_that_is_known_is_in_the_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "v7")
    assert options().run_without_version("lock").version == "v7"
    assert options(version="v8").run_without_version("lock").version == "v8"


def test_one_that_is_asked_for_must_be_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be an image tag"):
        options(version="not a tag").run_without_version("lock")


def test_a_filter_without_match_is_not_taken_for_a_missing_version(folder: Path) -> None:
    with pytest.raises(ConfigError, match="No --hosts match for db"):
        options(hosts=("db*",)).run_without_version("lock")
