"""What git knows of the project: its commit, whether it is clean, and who works on it."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

from kamal_pyinfra.errors import ConfigError

TIMEOUT = 20
"""Seconds; ``git status`` of a huge working tree on a slow disk takes a few."""


def git(root: Path, *arguments: str) -> str | None:
    """What a git command prints; ``None`` when it fails or git is not installed.

    Raises:
        ConfigError: git does not answer in time.
    """
    program = shutil.which("git")
    if program is None:
        return None
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
    return done.stdout.strip() if done.returncode == 0 else None


def head_commit(root: Path) -> str:
    """The full hash of the current commit.

    Raises:
        ConfigError: there is no repository, or no commit in it.
    """
    if git(root, "rev-parse", "--git-dir") is None:
        raise ConfigError(f"Can't use commit hash as version, no git repository found in {root}")
    commit = git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        raise ConfigError(f"Can't use commit hash as version, no commit found in {root}")
    return commit


def has_uncommitted_changes(root: Path) -> bool:
    """Whether anything differs from the commit, new files included."""
    return bool(git(root, "status", "--porcelain"))


def login_name() -> str:
    """The local user, even where the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
