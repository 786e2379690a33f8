"""Questions to git about the project: its commit, whether it is clean, and who works on it."""

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
    """Output of a git command; ``error`` is its complaint, or why it could not be run."""

    text: str
    error: str | None = None


def answer(root: Path, *arguments: str) -> Answer:
    """Run git in a folder; raise ConfigError if it takes too long."""
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
    lines = (line.strip() for line in done.stderr.splitlines() if not line.startswith("hint:"))
    complaint = " ".join(filter(None, lines)).removeprefix("fatal: ")
    return Answer(done.stdout.strip(), complaint or f"git ended with code {done.returncode}")


def git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, ``None`` if it fails or git is not installed; raise ConfigError if it takes too long."""
    found = answer(root, *arguments)
    return found.text if found.error is None else None


def head_commit(root: Path) -> str:
    """Full hash of the current commit; raise ConfigError if there is none or git fails."""
    error = answer(root, "rev-parse", "--git-dir").error
    if error is None:
        commit = answer(root, "rev-parse", "--verify", "HEAD")
        if commit.error is None:
            return commit.text
        reason = "" if "single revision" in commit.error else f" (git: {commit.error})"
        why = f"no commit found in {root}{reason}"
    elif error.startswith("not a git repository"):
        why = f"no git repository found in {root}"
    elif error == NOT_INSTALLED:
        why = f"{error}: install it, set VERSION, or add --version"
    else:
        why = f"git does not read {root}: {error}"
    raise ConfigError(f"Can't use commit hash as version, {why}")


def git_user(key: str) -> str:
    """Git's ``name`` or ``email`` of the user, else the login name; ``unknown`` where the system has none."""
    try:
        return git(Path.cwd(), "config", f"user.{key}") or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
