"""Facts about an app that its folder shows: framework, Dockerfile, port, health page."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from kamal_pyinfra.config.git import git

PYTHON_LISTS = ("requirements.txt", "requirements/base.txt", "requirements/production.txt", "pyproject.toml", "Pipfile")
PYTHON_PROBE = "python -c \"from urllib.request import urlopen; urlopen('{url}')\""
NODE_PROBE = "node -e \"fetch('{url}').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))\""
IGNORE = re.compile(r"\*\*/|\*\*|\*|\?|\[(?P<negated>\^)?(?P<inside>(?:\\.|[^\]\\])+)\]|\\.|.", re.DOTALL)
_IGNORE_PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::-([^}]*))?\}?", re.ASCII)
DEFAULT_PATH = "/up"
MOST_FILES = 400
SOURCES = {".py", ".rb", ".js", ".mjs", ".cjs", ".ts"}
NOT_OURS = {"node_modules", "vendor", "dist", "build", "tests", "test", "spec", "venv", "__pycache__"}
HEALTH_PAGE = re.compile(r"""["'](/?)(up|healthz?|livez|readyz)/?["']""", re.ASCII)
URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d{1,5}))?(/[^\s\"'|)]*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """Defaults for an app of a framework."""

    name: str
    port: int
    probe: str | None = None  # a health check that needs only the language
    has_health_page: bool = False  # a new app answers at ``/up``
    asset_path: str | None = None  # folder in the image with files that old and new pages need
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
UNKNOWN = Framework(name="An app", port=3000)
PYTHON = {"django": DJANGO, "fastapi": FASTAPI, "flask": FLASK}


def find_framework(folder: Path) -> Framework:
    """Return the framework in the folder's list of dependencies, else ``UNKNOWN``."""
    if re.search(r"^\s*gem\s+[\"']rails[\"']", text_of(folder / "Gemfile"), re.M):
        return RAILS
    wanted = "\n".join(text_of(folder / name) for name in PYTHON_LISTS)
    for name, framework in PYTHON.items():
        if re.search(rf"(?<![\w.-]){name}(?![\w.-])", wanted, re.I):
            return framework
    if (folder / "manage.py").is_file():
        return DJANGO
    try:
        return NODE if isinstance(json.loads(text_of(folder / "package.json")), dict) else UNKNOWN
    except ValueError:
        return UNKNOWN


def text_of(path: Path) -> str:
    """Return the text of a file; empty if there is none or it is too large to be handwritten."""
    try:
        return path.read_text("utf-8", errors="replace") if path.stat().st_size <= 200_000 else ""
    except OSError:
        return ""


@dataclass(kw_only=True)
class Image:
    """The last stage of a Dockerfile, with what it inherits from earlier ones."""

    port: int | None = None  # the first that it exposes
    healthcheck: str | None = None  # the command of its ``HEALTHCHECK``, as one shell line
    has_curl: bool = False  # one of its ``RUN`` lines installs curl
    variables: dict[str, str] = field(default_factory=dict)


def read_dockerfile(text: str) -> Image:
    """Return the image of a Dockerfile; lines that are not understood are ignored."""
    stages: dict[str, Image] = {}
    image = Image()
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in kept.replace("\\\n", " ").splitlines():
        word, *words = line.split() or [""]
        rest = " ".join(words)
        match word.upper():
            case "FROM":
                image = _stage(words, stages, image.variables if not stages else {})
            case "ARG" | "ENV":
                image.variables |= dict(re.findall(r"(\w+)=\"?([^\s\"]*)", rest, re.ASCII))
            case "EXPOSE" if image.port is None:
                image.port = _port(rest, image.variables)
            case "HEALTHCHECK":
                image.healthcheck = _health_command(rest)
            case "RUN":
                image.has_curl |= re.search(r"\bcurl\b", rest) is not None
    return image


def _stage(given: list[str], stages: dict[str, Image], globals_: dict[str, str]) -> Image:
    """Return a new stage that inherits from the stage it is based on."""
    words = [word for word in given if not word.startswith("--")]
    parent = stages.get(words[0].lower(), Image(variables=globals_)) if words else Image()
    image = replace(parent, variables=dict(parent.variables))
    if len(words) == 3 and words[1].lower() == "as":
        stages[words[2].lower()] = image
    return image


def _port(rest: str, variables: dict[str, str]) -> int | None:
    """Return the first port of an ``EXPOSE``, with variables replaced by their defaults."""
    filled = VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", rest)
    port = re.match(r"(\d{1,5})(?:/tcp)?(?:\s|-|$)", filled.strip(), re.ASCII)
    return int(port[1]) if port and 0 < int(port[1]) < 65536 else None


def _health_command(rest: str) -> str | None:
    """Return the command of a ``HEALTHCHECK``; ``NONE`` is no command."""
    _, found, command = rest.partition("CMD ")
    if not found:
        return None
    try:
        words = json.loads(command) if command.startswith("[") else None
    except ValueError:
        return None
    return shlex.join(map(str, words)) if isinstance(words, list) else command.strip() or None


def is_ignored(name: str, text: str) -> bool:
    """Return whether a ``.dockerignore`` keeps a file directly in the build context out of the image.

    The last pattern that matches counts, ``!`` includes a file again, and ``#`` begins a comment only as the first
    character of a line. Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    ignored = False
    for line in text.removeprefix("\ufeff").splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        is_taken_in = pattern.startswith("!")
        path = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        with contextlib.suppress(re.error):  # an invalid pattern never matches
            if re.fullmatch(IGNORE.sub(_to_regex, path), name, re.DOTALL):
                ignored = not is_taken_in
    return ignored


def _to_regex(found: re.Match[str]) -> str:
    """Return a part of a pattern of Go's ``filepath.Match``, where ``**`` means any folders, as one of ``re``."""
    inside = (found["inside"] or "").replace("[", r"\[")
    known = f"[{found['negated'] or ''}{inside}]" if inside else _IGNORE_PARTS.get(found[0])
    return known or re.escape(found[0][-1])


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with an app."""

    service: str
    image: Image | None = None
    framework: Framework = UNKNOWN
    health_page: str | None = None  # a path that its sources mention
    is_built_for_itself: bool = True  # the deploying machine has the processor that most servers have

    @property
    def port(self) -> int:
        """The port of the app in its container."""
        return (self.image and self.image.port) or self.framework.port

    @property
    def path(self) -> str:
        """The page that shows whether the app is healthy."""
        asked = URL.search(self.image.healthcheck) if self.image and self.image.healthcheck else None
        return (asked[2] if asked else None) or self.health_page or DEFAULT_PATH

    @property
    def health_command(self) -> str | None:
        """A health check to write; ``None`` where the default, a request by curl, suffices."""
        own = self.image.healthcheck if self.image else None
        if own is not None and own.isprintable() and "<%" not in own:
            asked = URL.search(own) if own.startswith("curl ") else None
            return None if asked and int(asked[1] or 80) == self.port else own
        probe = self.framework.probe
        if probe is None or (self.image is not None and self.image.has_curl):
            return None
        return probe.replace("{url}", f"http://localhost:{self.port}{self.path}")

    @property
    def knows_health_page(self) -> bool:
        """Whether there is a sign that the app has a health page."""
        has_own = self.image is not None and self.image.healthcheck is not None
        return has_own or self.framework.has_health_page or self.health_page is not None


def read_project(folder: Path) -> Project:
    """Read the folder; no program but git is run."""
    dockerfile = folder / "Dockerfile"
    return Project(
        service=_service_name(folder),
        image=read_dockerfile(text_of(dockerfile)) if dockerfile.is_file() else None,
        framework=find_framework(folder),
        health_page=_health_page(folder),
        is_built_for_itself=platform.machine() in ("x86_64", "AMD64"),
    )


def _service_name(folder: Path) -> str:
    """Return a name that containers can have: that of git's remote, else of the folder."""
    remote = git(folder, "remote", "get-url", "origin") or ""
    path = urlsplit(remote).path or remote
    name = path.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2] or folder.resolve().name
    return re.sub(r"[^a-z0-9_]+", "-", name.lower(), flags=re.ASCII).strip("-_") or "app"


def _health_page(folder: Path) -> str | None:
    """Return the first health page that a source file names, as a route or as a path of Django."""
    for path in islice(_sources(folder), MOST_FILES):
        for slash, page in HEALTH_PAGE.findall(text_of(path)):
            if slash or "urls" in path.name:
                return f"/{page}" if slash else f"/{page}/"
    return None


def _sources(folder: Path) -> Iterator[Path]:
    """Yield the app's own source files, those directly in the folder first."""
    for path, folders, files in os.walk(folder):
        yield from (file for name in sorted(files) if (file := Path(path, name)).suffix in SOURCES and file.is_file())
        is_deep = len(Path(path).relative_to(folder).parts) == 3
        folders[:] = [] if is_deep else sorted(name for name in folders if name not in NOT_OURS and name[0] != ".")
