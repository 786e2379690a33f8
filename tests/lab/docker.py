"""Talk to the outer Docker engine, the one that the lab's hosts are containers of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.lab.process import Result, run


@dataclass(frozen=True)
class Docker:
    """One engine, by its address; `config` keeps the lab's logins out of the user's own."""

    host: str
    config: Path | None = None

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment of every `docker` command of the lab."""
        env = {"DOCKER_HOST": self.host, "DOCKER_CLI_HINTS": "false"}
        if self.config is not None:
            env["DOCKER_CONFIG"] = str(self.config)
        if run(["docker", "buildx", "version"], check=False, env=env).returncode != 0:
            env["DOCKER_BUILDKIT"] = "0"
        return env

    def __call__(self, *args: str, check: bool = True, input: str | None = None, timeout: float = 600) -> Result:
        return run(["docker", *args], check=check, input=input, timeout=timeout, env=self.env)

    def lines(self, *args: str) -> list[str]:
        """Return the lines that a command prints."""
        return self(*args).stdout.split()

    def has_image(self, image: str) -> bool:
        return self("image", "inspect", image, check=False).returncode == 0

    def references(self, *filters: str) -> list[str]:
        """Return the images that the engine has, as name and tag."""
        return self.lines("image", "ls", *filters, "--format", "{{.Repository}}:{{.Tag}}")

    def image_created(self, image: str) -> str:
        """Return when an image was made, in ISO format."""
        return self("image", "inspect", "--format", "{{.Created}}", image, check=False).stdout.strip()

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself."""
        found: dict[str, Any] = json.loads(self("info", "--format", "{{json .}}").stdout)
        return found

    def build(self, tag: str, context: Path, **args: str) -> None:
        """Build an image from a folder, on the network of this machine."""
        build_args = [word for name, value in args.items() for word in ("--build-arg", f"{name}={value}")]
        flags = ("--network", "host", "--force-rm") if "DOCKER_BUILDKIT" in self.env else ("--network", "host")
        self("build", "--quiet", *flags, "--tag", tag, *build_args, str(context), timeout=1200)

    def remove_labelled(self, label: str) -> None:
        """Remove the containers with their volumes, and the networks, that carry a label."""
        chosen = ("--quiet", "--filter", f"label={label}")
        if containers := self.lines("ps", "--all", *chosen):
            self("rm", "--force", "--volumes", *containers)
        if networks := self.lines("network", "ls", *chosen):
            self("network", "rm", *networks)
        if volumes := self.lines("volume", "ls", *chosen):
            self("volume", "rm", "--force", *volumes)
