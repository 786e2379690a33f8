"""What tests know of the lab: `Lab.load()` reads what `up` wrote."""

from __future__ import annotations

import json
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tests.lab.docker import Docker
from tests.lab.names import BARE_HOSTS, HOSTS, here
from tests.lab.process import LabError, Result, run, wait_for

BUILDX = "/usr/libexec/docker/cli-plugins/docker-buildx"

CLEAN = r"""
if command -v dockerd; then
  for try in $(seq 100); do docker ps --quiet && break; sleep 0.2; done
  docker ps --quiet || exit 1
  docker ps --all --quiet | xargs -r docker rm --force --volumes || exit 1
  docker volume ls --quiet | xargs -r docker volume rm --force
  docker network ls --quiet --filter type=custom | xargs -r docker network rm
  docker image ls --filter label=service --format '{{.Repository}}:{{.Tag}}' | grep -E ':latest(-|$)' |
    xargs -r docker image rm
  if [ "$1" = all ]; then docker image ls --all --quiet | sort -u | xargs -r docker image rm --force; fi
fi >/dev/null 2>&1
find /root /home/deploy /home/admin -mindepth 1 -maxdepth 1 \
  ! -name .ssh ! -name .bashrc ! -name .profile ! -name .bash_logout -exec rm -rf {} +
rm -rf /tmp/* /tmp/.[!.]*
iptables -F INPUT; iptables -F OUTPUT
pkill -x sshd-session
true
"""


@dataclass(frozen=True)
class Registry:
    """The registry: the same address on the deploying machine and on every host."""

    server: str
    username: str
    password: str

    @property
    def port(self) -> int:
        return int(self.server.rpartition(":")[2])


@dataclass(frozen=True)
class Lab:
    """A running lab. Host names are `web1`, `web2`, `job1` and, without Docker, `bare1`.

    `kamal_proxy` says which one it has: the real one, and from where, or the stand-in.
    """

    name: str
    state: Path
    network: str
    subnet: str
    hosts: dict[str, str]
    users: tuple[str, ...]
    key: Path
    known_hosts: Path
    registry: Registry
    docker_host: str
    docker_config: Path
    base_image: str
    traefik_image: str
    kamal_proxy_image: str
    kamal_proxy_asked: str
    kamal_proxy: str
    digest: str

    @classmethod
    def load(cls, state: Path | None = None) -> Lab:
        """Read the lab of this checkout; without one, say how to start it."""
        path = (state or here().state) / "lab.json"
        if not path.exists():
            raise LabError("the lab is not up: run `make lab-up`")
        found: dict[str, Any] = json.loads(path.read_text())
        for name in ("state", "key", "known_hosts", "docker_config"):
            found[name] = Path(found[name])
        return cls(**found | {"users": tuple(found["users"]), "registry": Registry(**found["registry"])})

    def save(self) -> None:
        """Write `lab.json`, readable for its owner alone: it holds the registry's password."""
        path = self.state / "lab.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n")

    @cached_property
    def docker(self) -> Docker:
        """The outer engine with the lab's own login: `lab.docker("build", "--tag", ...)`."""
        return Docker(self.docker_host, self.docker_config)

    def ssh_argv(self, host: str, user: str = "root") -> list[str]:
        """Return the openssh command line that reaches a host."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=accept-new", "ConnectTimeout=10", "LogLevel=ERROR"]
        options += [f"UserKnownHostsFile={self.known_hosts}", "IdentitiesOnly=yes", "ForwardAgent=no"]
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "/dev/null", "-i", str(self.key), *words, f"{user}@{self.hosts[host]}"]

    def ssh(
        self,
        host: str,
        command: str,
        *,
        user: str = "root",
        check: bool = True,
        input: str | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run a shell line on a host over SSH."""
        return run([*self.ssh_argv(host, user), command], check=check, input=input, timeout=timeout)

    def exec(
        self, host: str, command: str, *, check: bool = True, input: str | None = None, timeout: float = 60
    ) -> Result:
        """Run a shell line in a host through the outer engine: works when sshd is dead."""
        argv = ["exec", *(["--interactive"] if input is not None else []), self.container(host)]
        return self.docker(*argv, "sh", "-c", command, check=check, input=input, timeout=timeout)

    def container(self, host: str) -> str:
        """Return the outer container that is a host, or the `registry`."""
        return f"{self.name}-{host}"

    def kill(self, host: str) -> None:
        """Cut a host's power."""
        self.docker("kill", self.container(host))

    def start(self, host: str) -> None:
        """Start a host that was killed or stopped, and wait until it answers."""
        self.docker("start", self.container(host))
        self.wait_until_ready(host)

    def pause(self, host: str) -> None:
        """Freeze a host: it accepts connections and answers nothing."""
        self.docker("pause", self.container(host))

    def unpause(self, host: str) -> None:
        self.docker("unpause", self.container(host))

    def is_ready(self, host: str) -> bool:
        """Tell whether sshd lets us in, the registry is in reach and the engine, if there is one, answers."""
        command = "! command -v dockerd || docker ps --quiet"
        forward = f"curl -s -o /dev/null http://{self.registry.server}/v2/"
        return self.ssh(host, f"{{ {command}; }} && {forward}", check=False).returncode == 0

    def wait_until_ready(self, *hosts: str, seconds: float = 60) -> None:
        """Wait until hosts answer; all of them when none is named."""
        for host in hosts or HOSTS:
            wait_for(f"{host} to be ready", partial(self.is_ready, host), seconds=seconds)

    def reset(self, host: str, *, images: bool = True) -> None:
        """Make a host as new: no containers, volumes, homes' files, firewall rules, sessions nor, if asked, images.

        Of images that stay none is marked as the one in service.

        A host that cannot be cleaned so, because it is down or frozen, is recreated.
        """
        script = ["exec", self.container(host), "sh", "-c", CLEAN, "sh", "all" if images else "keep"]
        if host in BARE_HOSTS or self.docker(*script, check=False, timeout=120).returncode != 0:
            self.recreate(host)

    def recreate(self, *hosts: str) -> None:
        """Throw hosts away and start them anew with the same address and host key."""
        from tests.lab.hosts import read_plan, start

        plan, names = read_plan(self.state), here()

        def replace(host: str) -> None:
            self.docker("rm", "--force", "--volumes", self.container(host))
            start(self.docker, names, plan, host)

        with ThreadPoolExecutor() as pool:
            list(pool.map(replace, hosts))
        self.wait_until_ready(*hosts)

    def environment_with_buildx(self, folder: Path) -> dict[str, str]:
        """Return variables under which `docker` here has the lab's login and the buildx plugin of a host.

        A folder for builds of their own keeps their builders out of everybody else's way.
        """
        shutil.copy(self.docker_config / "config.json", folder / "config.json")
        plugin = folder / "cli-plugins/docker-buildx"
        plugin.parent.mkdir()
        self.docker("cp", f"{self.container('web1')}:{BUILDX}", str(plugin))
        return {"DOCKER_CONFIG": str(folder), "DOCKER_BUILDKIT": "1"}

    def environment(self) -> dict[str, str]:
        """Return what `python -m tests.lab env` exports."""
        return {
            **{f"KP_LAB_{host.upper()}": address for host, address in self.hosts.items()},
            "KP_LAB_KEY": str(self.key),
            "KP_LAB_KNOWN_HOSTS": str(self.known_hosts),
            "KP_LAB_REGISTRY": self.registry.server,
            "KP_LAB_BASE_IMAGE": self.base_image,
            "KP_LAB_TRAEFIK_IMAGE": self.traefik_image,
            "KP_LAB_KAMAL_PROXY": self.kamal_proxy_image,
            "KAMAL_REGISTRY_USERNAME": self.registry.username,
            "KAMAL_REGISTRY_PASSWORD": self.registry.password,
            "DOCKER_HOST": self.docker_host,
            "DOCKER_CONFIG": str(self.docker_config),
            **({"DOCKER_BUILDKIT": "0"} if "DOCKER_BUILDKIT" in self.docker.env else {}),
        }

    def shell_exports(self) -> str:
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.environment().items())
