"""Shell completion of names in the configuration, read as plain YAML without asking a host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

FILE = "config/deploy.yml"
Names = Callable[[click.Context], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def one(names: Names) -> Complete:
    """Complete a single name."""
    return lambda context, _, typed: [name for name in dict.fromkeys(names(context)) if name.startswith(typed)]


def listed(names: Names) -> Complete:
    """Complete the last name in a comma-separated list."""

    def complete(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
        before, comma, last = typed.rpartition(",")
        found = [name for name in dict.fromkeys(names(context)) if name.startswith(last)]
        return [f"{before}{comma}{name}" for name in found if name not in before.split(",")]

    return complete


def hosts(context: click.Context) -> Iterator[str]:
    """Yield every host of the configuration, including those of accessories."""
    config = _config(context)
    servers = config.get("servers")
    for section in (servers, *_values(servers), *_values(config.get("accessories"))):
        for key in ("hosts", "host"):
            found = section.get(key) if isinstance(section, dict) else section
            entries = [found] if isinstance(found, str) else found
            for entry in entries if isinstance(entries, list) else ():
                yield from map(str, entry if isinstance(entry, dict) else (entry,))


def roles(context: click.Context) -> list[str]:
    """Return the names of the roles."""
    servers = _config(context).get("servers")
    return [str(name) for name in servers] if isinstance(servers, dict) else ["web"]


def accessories(context: click.Context) -> list[str]:
    """Return the names of the accessories, and ``all``."""
    found = _config(context).get("accessories")
    return [*(str(name) for name in found), "all"] if isinstance(found, dict) else []


def destinations(context: click.Context) -> list[str]:
    """Return destinations that have a file ``deploy.NAME.yml``."""
    path = _path(context)
    return sorted(each.name.split(".")[1] for each in path.parent.glob(f"{path.stem}.*{path.suffix}"))


def versions(_: click.Context) -> list[str]:
    """Return the last commits; whether hosts still have them is not checked."""
    import subprocess

    command = ["git", "log", "--max-count=10", "--format=%H"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=1, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


def _path(context: click.Context) -> Path:
    return Path(context.params.get("config_file") or FILE)


def _config(context: click.Context) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(_path(context).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # a TAB is no place for complaints
    return found if isinstance(found, dict) else {}


def _values(section: Any) -> Iterable[Any]:
    return section.values() if isinstance(section, dict) else ()
