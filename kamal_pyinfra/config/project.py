"""What a folder tells about the app in it, for ``kp init``."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from kamal_pyinfra.config.dockerfile import Image, read_dockerfile
from kamal_pyinfra.config.framework import Framework, find_framework, text_of
from kamal_pyinfra.config.git import git

DEFAULT_PORT = 3000
DEFAULT_PATH = "/up"
MOST_FILES = 400
SOURCES = {".py", ".rb", ".js", ".mjs", ".cjs", ".ts"}
NOT_OURS = {"node_modules", "vendor", "dist", "build", "tests", "test", "spec", "venv", "__pycache__"}
HEALTH_PAGE = re.compile(r"""["'](/?)(up|healthz?|livez|readyz)/?["']""", re.ASCII)
URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d{1,5}))?(/[^\s\"'|)]*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with an app.

    Args:
        service: a name for it: of git's remote, else of the folder.
        image: what its Dockerfile makes; ``None`` without one.
        health_page: path of a health page that its sources mention.
        machine: processor of this machine, as ``uname -m`` says.
    """

    service: str
    image: Image | None = None
    framework: Framework | None = None
    health_page: str | None = None
    machine: str = "x86_64"

    @property
    def is_built_for_itself(self) -> bool:
        """Whether this machine's own kind of processor will do: most servers have the same."""
        return self.machine in ("x86_64", "AMD64")

    @property
    def port(self) -> int:
        """Where the app listens in the container."""
        exposed = self.image.port if self.image else None
        return exposed or (self.framework.port if self.framework else DEFAULT_PORT)

    @property
    def path(self) -> str:
        """The page to ask whether the app is healthy."""
        asked = URL.search(self.image.healthcheck) if self.image and self.image.healthcheck else None
        return (asked[2] if asked else None) or self.health_page or DEFAULT_PATH

    @property
    def health_command(self) -> str | None:
        """A health check to write down; ``None`` where asking with curl, the default, will do."""
        own = self.image.healthcheck if self.image else None
        if own is not None and own.isprintable() and "<%" not in own:
            asked = URL.search(own) if own.startswith("curl ") else None
            return None if asked and int(asked[1] or 80) == self.port else own
        probe = self.framework.probe if self.framework else None
        if probe is None or (self.image is not None and self.image.has_curl):
            return None
        return probe.replace("{url}", f"http://localhost:{self.port}{self.path}")

    @property
    def knows_health_page(self) -> bool:
        """Whether something says that the app has a health page."""
        has_own = self.image is not None and self.image.healthcheck is not None
        is_built_in = self.framework is not None and self.framework.has_health_page
        return has_own or is_built_in or self.health_page is not None


def look_at(folder: Path) -> Project:
    """Read what is there; nothing is run but git."""
    dockerfile = folder / "Dockerfile"
    return Project(
        service=service_name(folder),
        image=read_dockerfile(text_of(dockerfile)) if dockerfile.is_file() else None,
        framework=find_framework(folder),
        health_page=find_health_page(folder),
        machine=platform.machine(),
    )


def service_name(folder: Path) -> str:
    """A name that containers can have."""
    remote = git(folder, "remote", "get-url", "origin") or ""
    path = urlsplit(remote).path or remote
    name = path.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2] or folder.resolve().name
    return re.sub(r"[^a-z0-9_]+", "-", name.lower(), flags=re.ASCII).strip("-_") or "app"


def find_health_page(folder: Path) -> str | None:
    """The first health page that a source file names, as a route or as a path of Django's."""
    for path in islice(sources(folder), MOST_FILES):
        for slash, page in HEALTH_PAGE.findall(text_of(path)):
            if slash or "urls" in path.name:
                return f"/{page}" if slash else f"/{page}/"
    return None


def sources(folder: Path, depth: int = 3) -> Iterator[Path]:
    """Source files that are the app's own, those of the folder itself first."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    yield from (entry for entry in entries if entry.suffix in SOURCES and entry.is_file())
    for entry in entries if depth else ():
        if entry.is_dir() and not entry.is_symlink() and entry.name not in NOT_OURS and entry.name[0] != ".":
            yield from sources(entry, depth - 1)
