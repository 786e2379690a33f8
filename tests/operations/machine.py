"""A deploying machine for builds: a project under git, a fake `docker`, and what was said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kamal_pyinfra.config import load_config
from kamal_pyinfra.local.build import build_and_push
from kamal_pyinfra.local.programs import Programs
from tests.conftest import LEAST, SECRETS, a_run

FAKE = Path(__file__).with_name("fake_docker.py")
VALUES = {"BUILD_TOKEN": "hush-token", "REGION": "eu-1"}


@dataclass
class Machine:
    """Where kp runs.

    Args:
        folder: has `project` (the working directory), `bin` (first in PATH), `tmp` and `docker`.
        said: lines of programs, and warnings in brackets.
        ssh: section of the configuration.
    """

    folder: Path
    said: list[str] = field(default_factory=list)
    ssh: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> Machine:
        """A machine with docker and its buildx plugin, and an empty project."""
        for name in ("project", "bin", "tmp", "docker"):
            (folder / name).mkdir()
        script = folder / "bin/docker"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -S {FAKE} "$@"\n')
        script.chmod(0o755)
        (folder / "docker/buildx").touch()
        (folder / "project/Dockerfile").write_text("FROM scratch\n")
        return cls(folder)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make this machine."""
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "FAKE_DOCKER": str(self.folder / "docker"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_CEILING_DIRECTORIES": str(self.folder),
            "DOCKER_BUILDKIT": "0",
        }

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        identity = ("-c", "user.name=N", "-c", "user.email=e@example.com")
        return subprocess.check_output(["git", *identity, *arguments], cwd=self.project, text=True).strip()

    def commit(self, **files: str) -> str:
        """Put files into the project and commit all of it."""
        if not (self.project / ".git").exists():
            self.git("init", "--quiet")
        for name, text in files.items():
            (self.project / name).write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def lacks(self, name: str) -> None:
        """Take something from the fake docker."""
        (self.folder / "docker" / name).unlink()

    def fails(self, word: str, said: str) -> None:
        """Let a docker command with this word fail."""
        (self.folder / "docker/fails").write_text(f"{word}\n{said}\n")

    def config(self, **builder: Any) -> Any:
        """The least configuration, with a builder section."""
        path = self.folder / "deploy.yml"
        registry = {"server": "registry.example.com", **LEAST["registry"]}
        path.write_text(yaml.safe_dump(LEAST | {"registry": registry, "builder": builder, "ssh": self.ssh}))
        return load_config(path, environ=SECRETS | VALUES)

    def builds(self, **builder: Any) -> list[dict[str, Any]]:
        """Build and push; return the docker commands that it took."""
        self.said.clear()
        before = len(self.calls())
        programs = Programs(self.said.append, lambda text: self.said.append(f"[{text}]"))
        build_and_push(a_run(self.config(**builder)), programs)
        return self.calls()[before:]

    def calls(self) -> list[dict[str, Any]]:
        """Every docker command so far."""
        path = self.folder / "docker/calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def clones(self) -> list[Path]:
        """Folders of kept clones."""
        return sorted(path for path in (self.folder / "tmp").glob("kamal-clones/*") if path.is_dir())


def spelled(calls: list[dict[str, Any]], *, changing: bool = True) -> list[str]:
    """Commands as text: without looks, unless asked for."""
    looks = ("--version", "version", "inspect")
    lines = [" ".join(call["argv"]) for call in calls if not changing or not set(looks) & set(call["argv"])]
    return [line.partition(" -t ")[0] for line in lines]
