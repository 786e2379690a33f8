"""One measured command on simulated hosts."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.installed import TOP, user_python

LOOK_SECONDS = 0.02
TIMELINE = ".kamal/last-deploy.json"


@dataclass(frozen=True)
class Sample:
    """Wall time and CPU time in seconds, memory in MB, sockets open at a time, commands and bytes per host."""

    seconds: float
    cpu: float
    memory: float
    sockets: float
    commands: float
    received: float


def addresses(count: int) -> list[str]:
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


def write_config(folder: Path, count: int, port: int) -> Path:
    """A service with a web role on two of three hosts and a worker on the others."""
    names = addresses(count)
    workers = names[2::3]
    web = [name for name in names if name not in workers]
    servers = {"web": {"hosts": web}} | ({"job": {"hosts": workers, "cmd": "bin/work"}} if workers else {})
    config = {
        "service": "shop",
        "image": "acme/shop",
        "servers": servers,
        "registry": {"username": "acme", "password": ["REGISTRY_PASSWORD"]},
        "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
        "ssh": {"port": port, "known_hosts": str(folder / "known_hosts"), "keys": [str(folder / "client_key")]},
    }
    path = folder / "config/deploy.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "PYTHONPATH": str(TOP),
        "REGISTRY_PASSWORD": "x",
        "TOP_SECRET": "y",
        "VERSION": "v2",
    }


def measure(folder: Path, action: str, count: int, port: int) -> Sample:
    """Run one command on so many hosts.

    Raises:
        SystemExit: it failed.
    """
    write_config(folder, count, port)
    log = folder / "log"
    log.write_text("")
    began = time.monotonic()
    process = subprocess.Popen(
        [user_python(), "-m", "kamal_pyinfra", action, "--skip-push"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=(folder / "err").open("wb"),
    )
    status, used, sockets = watched(process.pid)
    took = time.monotonic() - began
    if status != 0:
        raise SystemExit((folder / "err").read_text() or f"kp {action} failed")
    rows = [line.split() for line in log.read_text().splitlines()]
    return Sample(
        seconds=took,
        cpu=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss / 1024,
        sockets=sockets,
        commands=len(rows) / count,
        received=sum(int(row[2]) for row in rows) / count,
    )


def watched(process: int) -> tuple[int, resource.struct_rusage, int]:
    """Wait for a process: its status, what it used, and the most sockets that it had at a time."""
    most = 0
    while True:
        ended, status, used = os.wait4(process, os.WNOHANG)
        if ended:
            return status, used, most
        most = max(most, sockets_of(process))
        time.sleep(LOOK_SECONDS)


def sockets_of(process: int) -> int:
    try:
        return sum(str(file.readlink()).startswith("socket:") for file in Path(f"/proc/{process}/fd").iterdir())
    except OSError:  # a file was closed while we looked, or the process has ended
        return 0


def ends(folder: Path, phase: str) -> dict[str, float]:
    """When each host was through with a phase of the last deploy, in seconds since the phase began on the first."""
    spans = [span for span in json.loads((folder / TIMELINE).read_text())["spans"] if span["phase"] == phase]
    began = min((span["began"] for span in spans), default=0.0)
    return {span["host"]: span["ended"] - began for span in spans}
