"""Which version a command is about."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from kamal_pyinfra.config.git import git, has_uncommitted_changes, head_commit, login_name
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.naming import TAG


def resolve_version(config: Config, *, version: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The version: the one asked for, else ``VERSION``, else the git commit.

    A working tree with changes is a version of its own when ``builder.context`` builds it as it is; call this
    once per run, since that version ends in a random suffix.

    Args:
        config: whose ``root`` is the repository.
        version: value of ``--version``.
        environ: where ``VERSION`` is looked up; by default where ``config`` has its secrets from.

    Raises:
        ConfigError: there is no version, or Docker would not take it as a tag.
    """
    declared = (config.environ if environ is None else environ).get("VERSION")
    found = version or declared or git_version(config)
    if not TAG.fullmatch(found):
        raise ConfigError(
            f"version {found!r} cannot be an image tag: up to 128 letters, digits, `_`, `.` and `-`, "
            "the first no `.` or `-`"
        )
    return found


def git_version(config: Config) -> str:
    """The commit, marked when changes that are not in it would be built."""
    commit = head_commit(config.root)
    if config.builder.context is not None and has_uncommitted_changes(config.root):
        return f"{commit}_uncommitted_{secrets.token_hex(8)}"
    return commit


def git_name() -> str:
    """Git's user name here, else the login name: who locks."""
    return git(Path.cwd(), "config", "user.name") or login_name()


def git_email() -> str:
    """Git's user email here, else the login name: who is in audit lines."""
    return git(Path.cwd(), "config", "user.email") or login_name()
