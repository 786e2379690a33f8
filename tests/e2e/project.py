"""A project folder with the lab's sample app, and `kp` and `pyinfra` run in it as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SECONDS = 240
"""A command may take as long, on a machine that has much else to do."""
SECRETS = {"TOP_SECRET": "hush-7c1d9e", "REGISTRY_TOKEN": ""}

Change = Callable[[dict[str, Any]], None]


@dataclass
class Project:
    """The sample app's deployable folder.

    Args:
        lab: where it is deployed to.
        folder: holds Dockerfile, app.py, inventory.py, deploys/ and config/deploy.yml.
        env: variables for the commands, besides the lab's.
    """

    lab: Lab
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, lab: Lab, folder: Path, **overrides: Any) -> Project:
        """Write the folder with the standard configuration, changed by `overrides`."""
        for name in ("Dockerfile", "app.py"):
            shutil.copy(CHECKOUT / "tests/lab/app" / name, folder / name)
        shutil.copytree(CHECKOUT / "deploys", folder / "deploys")
        shutil.copy(CHECKOUT / "examples/three-roles/inventory.py", folder / "inventory.py")
        (folder / "config").mkdir()
        project = cls(lab, folder, {"TOP_SECRET": SECRETS["TOP_SECRET"]})
        project.write(standard_config(lab) | overrides)
        return project

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as it stands in the file."""
        loaded: dict[str, Any] = yaml.safe_load((self.folder / "config/deploy.yml").read_text())
        return loaded

    def write(self, config: dict[str, Any]) -> None:
        """Replace the configuration."""
        (self.folder / "config/deploy.yml").write_text(yaml.safe_dump(config, sort_keys=False))

    def change(self, change: Change) -> None:
        """Edit the configuration in place."""
        config = self.config
        change(config)
        self.write(config)

    def add_to_image(self, line: str) -> None:
        """Let the images that are built from now on have another line in their Dockerfile, before its last."""
        dockerfile = self.folder / "Dockerfile"
        *lines, last = dockerfile.read_text().splitlines()
        dockerfile.write_text("\n".join((*lines, line, last, "")))

    def set_env(self, **clear: str) -> None:
        """Replace the clear environment of the app."""
        self.change(lambda config: config["env"].update(clear=clear))

    def environment(self, version: str) -> dict[str, str]:
        """The environment of a command about a version."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | self.lab.environment() | self.env | {"VERSION": version, "COLUMNS": "200"}

    def kp(
        self, *arguments: str, version: str = "v1", code: int | None = 0, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run `kp`, for so long at most, and expect an exit code unless `code` is None."""
        return self.execute([str(BIN / "kp"), *arguments], version=version, code=code, seconds=seconds)

    def pyinfra(self, *arguments: str, version: str = "v1", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run pyinfra's own command line."""
        return self.execute([str(BIN / "pyinfra"), *arguments], version=version, code=code)

    def execute(
        self, command: list[str], *, version: str, code: int | None = 0, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder."""
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self.environment(version),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if code is not None and done.returncode != code:
            raise AssertionError(f"{command} exited {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments: str, version: str = "v1") -> subprocess.Popen[str]:
        """Start a command in a process group of its own, to be killed."""
        return subprocess.Popen(
            [str(BIN / arguments[0]), *arguments[1:]],
            cwd=self.folder,
            env=self.environment(version),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def url(self, host: str, path: str = "/version") -> str:
        """An address behind the proxy of a host."""
        return f"http://{self.lab.hosts[host]}{path}"

    def served(self, host: str, path: str = "/version") -> str:
        """What the proxy of a host answers."""
        with urllib.request.urlopen(self.url(host, path), timeout=10) as answer:
            return str(answer.read().decode()).strip()

    def inspect(self, host: str, container: str) -> dict[str, Any]:
        """`docker inspect` of a container on a host."""
        found: list[dict[str, Any]] = json.loads(self.lab.exec(host, f"docker inspect {container}").stdout)
        return found[0]

    def containers(self, host: str) -> dict[str, str]:
        """App containers of the service on a host: name → state."""
        listed = self.lab.exec(host, "docker ps -a --filter label=role --format '{{.Names}} {{.State}}'").stdout
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def running(self, hosts: Iterable[str]) -> dict[str, list[str]]:
        """Names of the running app containers, by host."""
        return {
            host: sorted(name for name, state in self.containers(host).items() if state == "running") for host in hosts
        }

    def lock_exists(self) -> bool:
        """Whether the deploy lock is held."""
        service = self.config["service"]
        return self.lab.exec("web1", f"test -d /root/.kamal/locks/{service}", check=False).returncode == 0


def standard_config(lab: Lab) -> dict[str, Any]:
    """Two web hosts and a worker."""
    return {
        "service": "shop",
        "image": "shop",
        "servers": {
            "web": {"hosts": [lab.hosts["web1"], lab.hosts["web2"]]},
            "job": {"hosts": [lab.hosts["job1"]], "cmd": "python app.py worker"},
        },
        "registry": {
            "server": lab.registry.server,
            "username": lab.registry.username,
            "password": ["KAMAL_REGISTRY_PASSWORD"],
        },
        "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
        "asset_path": "/app/public/assets",
        "readiness_delay": 1,
        "stop_wait_time": 10,
        "healthcheck": {"max_attempts": 4},
        "builder": {
            "multiarch": False,
            "context": ".",
            "args": {"BASE_IMAGE": lab.base_image, "APP_VERSION": '<%= ENV["VERSION"] %>'},
        },
        "ssh": {"keys": [str(lab.key)], "known_hosts": str(lab.known_hosts)},
        "traefik": {"image": lab.traefik_image},
    }


def eventually(holds: Callable[[], bool], *, seconds: float = 20, what: str = "it") -> None:
    """Wait until something holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.1)
