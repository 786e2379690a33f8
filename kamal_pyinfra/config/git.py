"""What git knows of the project: its commit, whether it is clean, and who works on it."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from kamal_pyinfra.errors import ConfigError

TIMEOUT = 20
"""Seconds; ``git status`` of a huge working tree on a slow disk takes a few."""
NOT_INSTALLED = "git is not installed"


class Answer(NamedTuple):
    """What a git command printed; ``error`` is what it complained of, or why it could not be run."""

    text: str
    error: str | None = None


def answer(root: Path, *arguments: str) -> Answer:
    """Ask git about a folder.

    Raises:
        ConfigError: git does not answer in time.
    """
    program = shutil.which("git")
    if program is None:
        return Answer("", NOT_INSTALLED)
    try:
        done = subprocess.run(  # noqa: S603 - no shell, fixed program, arguments are ours
            [program, "-C", str(root), *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"git {arguments[0]} in {root} did not answer in {TIMEOUT} seconds") from None
    except OSError as error:
        return Answer("", f"git cannot be run: {error.strerror}")
    if done.returncode == 0:
        return Answer(done.stdout.strip())
    return Answer(done.stdout.strip(), complaint(done.stderr) or f"git ended with code {done.returncode}")


def complaint(said: str) -> str:
    """What git wrote on standard error, in one line."""
    lines = [line.strip() for line in said.splitlines() if not line.startswith("hint:")]
    return " ".join(filter(None, lines)).removeprefix("fatal: ")


def git(root: Path, *arguments: str) -> str | None:
    """What a git command prints; ``None`` when it fails or git is not installed.

    Raises:
        ConfigError: git does not answer in time.
    """
    found = answer(root, *arguments)
    return found.text if found.error is None else None


def head_commit(root: Path) -> str:
    """The full hash of the current commit.

    Raises:
        ConfigError: there is no repository, or no commit in it, or git will not say.
    """
    folder = answer(root, "rev-parse", "--git-dir")
    if folder.error is not None:
        raise no_repository(root, folder.error)
    commit = answer(root, "rev-parse", "--verify", "HEAD")
    if commit.error is not None:
        said = "" if "single revision" in commit.error else f" (git: {commit.error})"
        raise ConfigError(f"Can't use commit hash as version, no commit found in {root}{said}")
    return commit.text


def no_repository(root: Path, error: str) -> ConfigError:
    """What keeps git from the repository, in its own words unless there is none."""
    if error.startswith("not a git repository"):
        return ConfigError(f"Can't use commit hash as version, no git repository found in {root}")
    why = f"{error}: install it, set VERSION, or add --version"
    if error != NOT_INSTALLED:
        why = f"git does not read {root}: {error}"
    return ConfigError(f"Can't use commit hash as version, {why}")


def has_uncommitted_changes(root: Path) -> bool:
    """Whether anything differs from the commit, new files included."""
    return bool(git(root, "status", "--porcelain"))


def login_name() -> str:
    """The local user, even where the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
