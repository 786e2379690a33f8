"""The version that a command is about."""

from __future__ import annotations

import secrets

from kamal_pyinfra.config.git import git, head_commit
from kamal_pyinfra.config.image import TAG
from kamal_pyinfra.config.model import Config
from kamal_pyinfra.errors import ConfigError


def resolve_version(config: Config, *, version: str | None = None) -> str:
    """Return ``version``, else ``VERSION`` of the environment, else the git commit.

    A changed working tree that ``builder.context`` builds is a version of its own, with a random suffix: call this once
    per run. Raises ConfigError without a version, or for one that Docker does not take as a tag.
    """
    declared = version or config.source.environ.get("VERSION")
    found = declared or head_commit(config.source.root)
    if not declared and config.builder.context is not None and git(config.source.root, "status", "--porcelain"):
        found = f"{found}_uncommitted_{secrets.token_hex(8)}"
    if not TAG.fullmatch(found):
        rule = "up to 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`"
        raise ConfigError(f"version {found!r} cannot be an image tag: {rule}")
    return found
