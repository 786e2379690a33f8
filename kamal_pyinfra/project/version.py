"""The version that a command is about."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from kamal_pyinfra.config.git import git, has_uncommitted_changes, head_commit, login_name
from kamal_pyinfra.config.image import TAG
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.errors import ConfigError


def resolve_version(config: Config, *, version: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Return ``version``, else ``VERSION`` of ``environ`` (by default that of ``config``), else the git commit.

    A changed working tree that ``builder.context`` builds is a version of its own, with a random suffix: call this once
    per run. Raises ConfigError without a version, or for one that Docker does not take as a tag.
    """
    declared = (config.environ if environ is None else environ).get("VERSION")
    found = version or declared or head_commit(config.root)
    if not (version or declared) and config.builder.context is not None and has_uncommitted_changes(config.root):
        found = f"{found}_uncommitted_{secrets.token_hex(8)}"
    if not TAG.fullmatch(found):
        rule = "up to 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`"
        raise ConfigError(f"version {found!r} cannot be an image tag: {rule}")
    return found


def git_name() -> str:
    """Return git's user name, else the login name; recorded in the lock."""
    return git(Path.cwd(), "config", "user.name") or login_name()


def git_email() -> str:
    """Return git's user email, else the login name; recorded in audit lines."""
    return git(Path.cwd(), "config", "user.email") or login_name()
