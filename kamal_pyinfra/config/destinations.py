"""The destinations of a configuration: files beside the main one, and what is said where one is missing."""

from __future__ import annotations

import re
from pathlib import Path

from kamal_pyinfra.config.problems import did_you_mean
from kamal_pyinfra.errors import ConfigError


def destination_path(path: Path, destination: str) -> Path:
    """``deploy.yml`` → ``deploy.DESTINATION.yml``, in the same folder."""
    return path.with_name(f"{path.stem}.{destination}{path.suffix}")


def check_destination(destination: str | None) -> None:
    """A destination becomes part of file and container names.

    Raises:
        ConfigError: it cannot.
    """
    if destination is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", destination, re.ASCII):
        raise ConfigError(f"destination {destination!r} can only include letters, digits, `_`, `.` and `-`")


def destinations(path: Path) -> list[str]:
    """The destinations that have a file beside the main one."""
    start, end = f"{path.stem}.", path.suffix
    try:
        names = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    except OSError:
        return []
    found = (name[len(start) : len(name) - len(end)] for name in names if name.startswith(start) and name.endswith(end))
    return [name for name in found if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name, re.ASCII)]


def choose(path: Path) -> str:
    """That there are destinations to choose from; nothing if there are none."""
    found = destinations(path)
    return f"; there are destinations: {', '.join(found)}; choose one with -d" if found else ""


def meant(path: Path, destination: str) -> str:
    """Which destinations there are in place of one that has no file; nothing if there are none."""
    found = destinations(path)
    hint = did_you_mean(destination, found)
    return f"; there are destinations: {', '.join(found)}{hint}" if found else ""
