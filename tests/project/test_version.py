"""Where a version comes from, against a real git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from kamal_pyinfra.config import git
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.version import resolve_version
from tests.config.conftest import Load


@pytest.fixture(autouse=True)
def _own_git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def run_git(*arguments: str) -> str:
    identity = ("-c", "user.name=N", "-c", "user.email=e@example.com")
    return subprocess.check_output(["git", *identity, *arguments], text=True, stderr=subprocess.DEVNULL).strip()


@pytest.fixture
def commit(project: Path) -> str:
    """The hash of the first commit of a clean repository in the working directory."""
    run_git("init", "--quiet")
    (project / "file").write_text("1")
    (project / ".gitignore").write_text("config\n")
    run_git("add", ".")
    run_git("commit", "--quiet", "-m", "first")
    return run_git("rev-parse", "HEAD")


def test_the_argument_wins_over_the_variable_and_that_over_git(load: Load, commit: str) -> None:
    config = load(environ={"VERSION": "from-env"})
    assert resolve_version(config, version="v1") == "v1"
    assert resolve_version(config) == "from-env"
    assert resolve_version(load(), version=None) == commit


def test_changes_count_only_when_the_working_tree_is_built(project: Path, load: Load, commit: str) -> None:
    built_from_clone, built_from_tree = load(), load(builder="{context: .}")
    assert resolve_version(built_from_tree) == commit
    (project / "new").write_text("x")
    assert resolve_version(built_from_clone) == commit
    assert re.fullmatch(commit + "_uncommitted_[0-9a-f]{16}", resolve_version(built_from_tree))


def test_without_repository_the_folder_is_named(project: Path, load: Load) -> None:
    with pytest.raises(ConfigError) as error:
        resolve_version(load())
    assert str(error.value) == f"Can't use commit hash as version, no git repository found in {project}"


def test_without_commit_the_folder_is_named(project: Path, load: Load) -> None:
    run_git("init", "--quiet")
    with pytest.raises(ConfigError) as error:
        resolve_version(load())
    assert str(error.value) == f"Can't use commit hash as version, no commit found in {project}"


def test_git_that_is_not_installed_is_not_taken_for_a_folder_without_repository(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError) as error:
        resolve_version(config)
    assert str(error.value) == (
        "Can't use commit hash as version, git is not installed: install it, set VERSION, or add --version"
    )


def test_a_repository_of_somebody_else_is_named_with_gits_own_cure(
    project: Path, load: Load, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ConfigError) as error:
        resolve_version(load())
    assert "detected dubious ownership in repository at" in str(error.value)
    assert str(error.value).endswith(f"git config --global --add safe.directory {project}")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "fatal: detected dubious ownership in repository at '/srv/app'\n"
            "To add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /srv/app\n",
            "detected dubious ownership in repository at '/srv/app' To add an exception for this directory, call: "
            "git config --global --add safe.directory /srv/app",
        ),
        ("fatal: bad config line 1 in file .git/config\n", "bad config line 1 in file .git/config"),
        ("", "git ended with code 128"),
    ],
)
def test_what_git_complains_of_reaches_the_user(
    project: Path, load: Load, monkeypatch: pytest.MonkeyPatch, said: str, shown: str
) -> None:
    (project / "bin").mkdir()
    (project / "said").write_text(said)
    (project / "bin/git").write_text(f"#!/bin/sh\n/bin/cat {project}/said >&2\nexit 128\n")
    (project / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", str(project / "bin"))
    with pytest.raises(ConfigError) as error:
        resolve_version(load())
    assert str(error.value) == f"Can't use commit hash as version, git does not read {project}: {shown}"


@pytest.mark.parametrize("version", ["-x", ".x", "a b", "a/b", "a:b", "x" * 129, "v1\n", "ü"])
def test_a_version_must_be_a_tag_for_docker(load: Load, version: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve_version(load(), version=version)
    assert str(error.value) == (
        f"version {version!r} cannot be an image tag: up to 128 letters, digits, `_`, `.` and `-`, "
        "the first no `.` or `-`"
    )


def test_a_git_that_does_not_answer_is_named(project: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = project / "bin/git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec /bin/sleep 5\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    monkeypatch.setattr(git, "TIMEOUT", 0.05)
    with pytest.raises(ConfigError) as error:
        resolve_version(load())
    assert str(error.value) == f"git rev-parse in {project} did not answer in 0.05 seconds"


def test_who_works_is_gits_user_or_the_login_name(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "someone")
    assert (git.git_user("name"), git.git_user("email")) == ("someone", "someone")
    run_git("config", "user.name", "Ada L.")
    run_git("config", "user.email", "ada@example.com")
    assert (git.git_user("name"), git.git_user("email")) == ("Ada L.", "ada@example.com")
