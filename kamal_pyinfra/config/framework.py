"""The frameworks that ``kp init`` knows, and what their apps usually need."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

PYTHON_LISTS = ("requirements.txt", "requirements/base.txt", "requirements/production.txt", "pyproject.toml", "Pipfile")
PYTHON_PROBE = "python -c \"from urllib.request import urlopen; urlopen('{url}')\""
NODE_PROBE = "node -e \"fetch('{url}').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))\""


@dataclass(frozen=True, kw_only=True)
class Framework:
    """What an app made with it looks like unless its folder says otherwise.

    Args:
        port: where its server listens.
        probe: a health check that needs nothing but the language itself; ``{url}`` is filled in.
        has_health_page: whether a new app answers at ``/up`` already.
        asset_path: folder in the image with files that old and new pages need.
        clear: environment that it reads.
        secret: secrets that it reads.
    """

    name: str
    port: int
    probe: str | None = None
    has_health_page: bool = False
    asset_path: str | None = None
    clear: tuple[tuple[str, str], ...] = ()
    secret: tuple[str, ...] = ()


RAILS = Framework(
    name="Rails",
    port=3000,
    has_health_page=True,
    asset_path="/rails/public/assets",
    clear=(("RAILS_LOG_TO_STDOUT", "1"),),
    secret=("RAILS_MASTER_KEY",),
)
DJANGO = Framework(name="Django", port=8000, probe=PYTHON_PROBE, secret=("SECRET_KEY",))
FASTAPI = Framework(name="FastAPI", port=8000, probe=PYTHON_PROBE)
FLASK = Framework(name="Flask", port=8000, probe=PYTHON_PROBE, secret=("SECRET_KEY",))
NODE = Framework(name="Node", port=3000, probe=NODE_PROBE, clear=(("NODE_ENV", "production"),))
PYTHON = {"django": DJANGO, "fastapi": FASTAPI, "flask": FLASK}


def find_framework(folder: Path) -> Framework | None:
    """The framework that the folder's list of dependencies names."""
    if re.search(r"^\s*gem\s+[\"']rails[\"']", text_of(folder / "Gemfile"), re.M):
        return RAILS
    wanted = "\n".join(text_of(folder / name) for name in PYTHON_LISTS)
    for name, framework in PYTHON.items():
        if re.search(rf"(?<![\w.-]){name}(?![\w.-])", wanted, re.I):
            return framework
    if (folder / "manage.py").is_file():
        return DJANGO
    return NODE if is_node(folder) else None


def is_node(folder: Path) -> bool:
    """Whether there is a package.json that can be read."""
    try:
        return isinstance(json.loads(text_of(folder / "package.json")), dict)
    except ValueError:
        return False


def text_of(path: Path, limit: int = 200_000) -> str:
    """The text of a file, empty if there is none or it is too large to be written by hand."""
    try:
        return path.read_text("utf-8", errors="replace") if path.stat().st_size <= limit else ""
    except OSError:
        return ""
