"""How long `kp plan` takes for 1 to 300 simulated hosts: ``python -m bench.fleet``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from kamal_pyinfra.config import load_config
from kamal_pyinfra.plan.desired import desired_host
from tests.conftest import a_run, as_deployed
from tests.operations.fleet import snapshot_lines

SIZES = tuple(int(size) for size in os.environ.get("BENCH_FLEET", "1,3,10,100,300").split(","))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
KP = Path(sys.executable).parent / "kp"


@dataclass(frozen=True)
class Sample:
    """One plan: wall time and CPU time in seconds, memory in MB, commands and bytes per host."""

    seconds: float
    cpu: float
    memory: float
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
        "REGISTRY_PASSWORD": "x",
        "TOP_SECRET": "y",
        "VERSION": "v2",
    }


def measure(folder: Path, count: int, port: int) -> Sample:
    """Run one plan."""
    write_config(folder, count, port)
    log = folder / "log"
    log.write_text("")
    began = time.monotonic()
    process = subprocess.Popen(
        [str(KP), "plan", "--skip-push"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, status, used = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    if status != 0:
        raise SystemExit(process.stderr.read().decode() if process.stderr else "kp plan failed")
    rows = [line.split() for line in log.read_text().splitlines()]
    return Sample(
        seconds=took,
        cpu=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss / 1024,
        commands=len(rows) / count,
        received=sum(int(row[2]) for row in rows) / count,
    )


def snapshot_text(folder: Path) -> str:
    """What a look at a host with version v1 prints."""
    config = load_config(write_config(folder, 1, 22), environ=environment())
    return "\n".join(snapshot_lines(as_deployed(desired_host(a_run(config, "v1"), addresses(1)[0])))) + "\n"


def started(folder: Path) -> subprocess.Popen[bytes]:
    """The SSH server, once it listens and its host key is known for every address."""
    (folder / "snapshot.txt").write_text(snapshot_text(folder))
    server = subprocess.Popen([sys.executable, "-m", "bench.fleet.server", str(folder)])
    deadline = time.monotonic() + 20
    while not (folder / "port").exists() or not (folder / "port").read_text():
        if time.monotonic() > deadline or server.poll() is not None:
            server.kill()
            raise SystemExit("the simulated hosts did not start")
        time.sleep(0.05)
    port, key = (folder / "port").read_text(), (folder / "host_key.pub").read_text().strip()
    lines = [f"[{address}]:{port} {key}\n" for address in addresses(max(SIZES))]
    (folder / "known_hosts").write_text("".join(lines))
    return server


def main() -> None:
    """Print one Markdown table."""
    samples: dict[int, list[Sample]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = started(folder)
        try:
            port = int((folder / "port").read_text())
            for _ in range(ROUNDS):
                for size in SIZES:
                    samples[size].append(measure(folder, size, port))
        finally:
            server.terminate()
            server.wait()
    head = "| hosts | seconds | CPU s | CPU ms per host | memory MB | commands per host | bytes per host |"
    sys.stdout.write(f"`kp plan`, medians of {ROUNDS}, interleaved.\n\n{head}\n|---|---|---|---|---|---|---|\n")
    for size, found in samples.items():
        took, cpu, memory, commands, received = (
            statistics.median(getattr(sample, field) for sample in found) for field in Sample.__dataclass_fields__
        )
        cells = (f"{took:.2f}", f"{cpu:.2f}", f"{cpu / size * 1000:.0f}", f"{memory:.0f}", f"{commands:.1f}")
        sys.stdout.write(f"| {size} | {' | '.join(cells)} | {received:.0f} |\n")


if __name__ == "__main__":
    main()
