"""The lab's hosts: containers of the outer engine that behave as servers."""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.docker import Docker
from tests.lab.names import BARE_HOSTS, Names

SYS_RESOURCE = 1 << 24


@dataclass(frozen=True)
class HostPlan:
    """What every host of one lab is started with; kept in lab.json, so that one can be made anew."""

    images: dict[str, str]
    addresses: dict[str, str]
    registry_port: str
    key: str
    host_key: str


def start_all(docker: Docker, names: Names, plan: HostPlan) -> None:
    """Start all hosts at once."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: start(docker, names, plan, host), plan.images))


def start(docker: Docker, names: Names, plan: HostPlan, host: str) -> None:
    """Start one host at its address."""
    flags = ["--name", names.container(host), "--hostname", host, "--label", names.label]
    flags += ["--network", names.lab, "--ip", plan.addresses[host], *isolation(docker, names)]
    values = {
        "LAB_KEY": plan.key,
        "LAB_HOST_KEY": plan.host_key,
        "LAB_REGISTRY": f"{plan.addresses['registry']}:5000",
        "LAB_PORT": plan.registry_port,
        "LAB_CGROUP": f"{names.cgroup}/{host}",
    }
    flags += [word for name, value in values.items() for word in ("--env", f"{name}={value}")]
    docker("run", "--detach", *flags, plan.images[host])


def isolation(docker: Docker, names: Names) -> tuple[str, ...]:
    """Return the flags that let an engine run inside: `--privileged` where this machine may grant it."""
    driver, cgroups = _cgroups(docker)
    parent = ("--cgroup-parent", names.cgroup) if driver == "cgroupfs" else ()
    if may_grant_all(Path("/proc/self/status").read_text()):
        return ("--privileged", *parent)
    flags = ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"]
    for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        flags += ["--security-opt", option]
    mount = ("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw") if cgroups == "1" else ()
    return (*flags, *mount, *parent)


def may_grant_all(status: str) -> bool:
    """Read `/proc/self/status`: is SYS_RESOURCE, which `--privileged` asks for, in the bounding set?"""
    found = next((line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), "0")
    return bool(int(found, 16) & SYS_RESOURCE)


def image_names(host: str) -> str:
    """Return which image a host is made of."""
    return "bare" if host in BARE_HOSTS else "host"


@functools.cache
def _cgroups(docker: Docker) -> tuple[str, str]:
    info = docker.info()
    return str(info["CgroupDriver"]), str(info.get("CgroupVersion", "1"))


def write_plan(state: Path, plan: HostPlan) -> None:
    """Keep what hosts are started with, for its owner alone: it holds their private key."""
    path = state / "hosts.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(plan), indent=2) + "\n")


def read_plan(state: Path) -> HostPlan:
    """Read what hosts were started with."""
    return HostPlan(**json.loads((state / "hosts.json").read_text()))
