"""The fleet that faults are done to: a project that serves, versions to deploy, and what may be on a host."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.project import Project, eventually, standard_config
from tests.lab.lab import Lab

WEB = ("web1", "web2")
HOSTS = (*WEB, "job1")
RETAINED = 2

# runc's own files in /tmp outlive a power cut; they are not of a deploy.
LEFT_OVER = r"""
cd /root
ls -A /tmp | grep -v '^runc-process' | sed 's,^,temp file /tmp/,'
ls -A .kamal/locks | sed 's,^,lock ,'
find .kamal -name '*.tmp' -o -name '*.new' -o -name '.*.??????' | sed 's,^,temp file ,'
ls -A .kamal | grep -vxE 'assets|cords|env|locks|shop-(audit.log|hosts.json|files)' | sed 's,^,file .kamal/,'
find .kamal/env -type f | grep -vxE '.kamal/env/(roles/shop-(web|job)|traefik/traefik)\.env' | sed 's,^,env file ,'
docker ps -a --format '{{.Names}}' | grep -vxE 'shop-(web|job)-[a-z0-9-]+|traefik' | sed 's,^,container ,'
docker volume ls -q | sed 's,^,volume ,'
mounts=$(docker ps -aq | xargs -r docker inspect --format '{{range .Mounts}}{{.Source}} {{end}}')
for folder in .kamal/cords/* .kamal/assets/volumes/*; do
  [ ! -e "$folder" ] || case "$mounts" in *"/root/$folder"*) ;; *) echo "unused folder $folder" ;; esac
done
ps -eo args | grep -E 'kp-boot:|await_(ready|unhealthy)|^timeout ' | grep -v grep | cut -c 1-80 | sed 's,^,process ,'
ss -Htn state established '( sport = :22 )' | sed 's,^,SSH connection ,'
true
"""


@dataclass
class Stage:
    """A project on the lab's three hosts that serves a version."""

    lab: Lab
    project: Project
    version: str = ""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def create(cls, lab: Lab, folder: Path) -> Stage:
        """Empty the hosts and serve a first version; one image serves for all of them."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: lab.reset(host, images=False), HOSTS))
        folder.mkdir(exist_ok=True)
        stage = cls(lab, Project.create(lab, folder))
        stage.project.write(stage.config())
        stage.project.kp("build", "push", version="dev")
        stage.version = stage.new_version()
        stage.project.kp("setup", "-P", version=stage.version)
        return stage

    def config(self) -> dict[str, Any]:
        """The configuration of the fleet between two faults."""
        ours = {"retain_containers": RETAINED, "stop_wait_time": 4, "readiness_delay": 2}
        ours["healthcheck"] = {"max_attempts": 4, "interval": "1s"}
        config = standard_config(self.lab) | ours
        config["ssh"] |= {"connect_timeout": 4, "command_timeout": 15}
        return config

    def new_version(self, image: str = "dev", name: str = "") -> str:
        """Give the image the name of a version that nobody has deployed yet, in the registry."""
        version = name or f"n{os.getpid()}-{next(self.numbers)}"
        repository = f"{self.lab.registry.server}/shop"
        self.lab.docker("tag", f"{repository}:{image}", f"{repository}:{version}")
        self.lab.docker("push", "--quiet", f"{repository}:{version}")
        return version

    def change(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Edit the configuration in place."""
        self.project.change(lambda config: change(config) and None)

    def wanted(self, version: str) -> dict[str, list[str]]:
        """What runs, and nothing else, once a version is deployed."""
        return {
            "web1": [f"shop-web-{version}"],
            "web2": [f"shop-web-{version}"],
            "job1": [f"shop-job-{version}"],
        }

    def running(self) -> dict[str, list[str]]:
        """Names of the running app containers, by host; asked past sshd, side by side."""
        listing = "docker ps --filter label=role --format '{{.Names}}'"
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda host: sorted(self.lab.exec(host, listing).stdout.split()), HOSTS)
            return dict(zip(HOSTS, found, strict=True))

    def await_hosts(self, spared: Collection[str] = ()) -> None:
        """Wait until every host and its engine answer, and each web host serves but those that need the rerun."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: self.lab.wait_until_ready(host, seconds=90), HOSTS))
        for host in set(WEB) - set(spared):
            eventually(lambda host=host: bool(self.serves(host)), seconds=40, what=f"an answer of {host}")

    def serves(self, host: str) -> str:
        """The version that answers on a host; empty if none does."""
        try:
            return self.project.served(host)
        except OSError:
            return ""

    def left_over(self) -> list[str]:
        """What is on the hosts and should not be, after processes and connections had their time to end."""
        with ThreadPoolExecutor() as pool:
            return [line for lines in pool.map(self._left_over, HOSTS) for line in lines]

    def _left_over(self, host: str) -> list[str]:
        found: list[str] = []

        def is_clean() -> bool:
            found[:] = [f"{host}: {line}" for line in self.lab.exec(host, LEFT_OVER).stdout.splitlines()]
            return not any(word in line for line in found for word in ("process", "SSH"))

        try:
            eventually(is_clean, seconds=20)
        except AssertionError:
            return found
        return found + self._too_many(host)

    def _too_many(self, host: str) -> list[str]:
        listing = (
            "docker ps -a --filter label=role --filter status=exited --filter status=created --format '{{.Names}}'"
        )
        stopped = self.lab.exec(host, listing).stdout.split()
        return [f"{host}: {len(stopped)} stopped containers: {stopped}"] if len(stopped) > RETAINED else []
