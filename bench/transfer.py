"""What travels when hosts pull an image of 300 MB of which 1 MB changed: ``python -m bench.transfer [--write]``."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bench.installed import TOP
from bench.table import replace_part
from tests.e2e.project import Project
from tests.lab import images
from tests.lab.lab import Lab

HOSTS = ("web1", "web2", "job1")
LARGE, SMALL = 300_000_000, 1_000_000
PAGE = TOP / "docs/trust/performance.md"
BASE = f"ARG BASE\nFROM ${{BASE}}\nRUN head -c {LARGE} /dev/urandom > /large\n"
PULL = "Pull the image"


def received(lab: Lab) -> dict[str, int]:
    """Bytes that each host's network interface has taken in."""
    return {host: int(lab.ssh(host, "cat /sys/class/net/eth0/statistics/rx_bytes").stdout) for host in HOSTS}


def change_little(project: Project) -> None:
    """A new last layer, which does not get smaller on its way."""
    (project.folder / "small").write_bytes(os.urandom(SMALL))


def deployed(project: Project, version: str) -> tuple[float, float]:
    """Deploy what was pushed; seconds of the slowest pull, and the most megabytes that a host took in for all of it."""
    timeline = project.folder / ".kamal/last-deploy.json"
    timeline.unlink(missing_ok=True)
    before = received(project.lab)
    project.kp("deploy", "--skip-push", version=version)
    after = received(project.lab)
    spans = json.loads(timeline.read_text())["spans"] if timeline.exists() else []
    seconds = max((each["ended"] - each["began"] for each in spans if each["operation"] == PULL), default=0.0)
    return seconds, max(after[host] - before[host] for host in HOSTS) / 1e6


def pull_proxy(lab: Lab, host: str) -> None:
    """Its image is not what is measured."""
    account = lab.registry
    log_in = f"docker login -u {account.username} --password-stdin {account.server}"
    lab.ssh(
        host,
        f"{log_in} && docker pull -q {lab.traefik_image} && docker logout {account.server}",
        input=account.password,
    )


def story(project: Project, label: str) -> list[str]:
    """The rows of one way to pull."""
    for host in HOSTS:
        project.lab.reset(host)
        pull_proxy(project.lab, host)
    rows = []
    for number, what in enumerate(("first version", "1 MB changed"), start=1):
        change_little(project)
        project.kp("build", "push", version=f"t{number}")
        rows.append((what, *deployed(project, f"t{number}")))
    rows.append(("the same again", *deployed(project, "t2")))
    return [f"| {label}, {what} | {seconds:.1f} | {size:.1f} |" for what, seconds, size in rows]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def project_in(lab: Lab, folder: Path, base: str, **overrides: object) -> Project:
    """The sample app on the large image, with a small layer at its end."""
    folder.mkdir()
    project = Project.create(lab, folder, **overrides)
    project.change(lambda config: config["builder"]["args"].update(BASE_IMAGE=base))
    with (folder / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("COPY small /small\n")
    return project


def large_base(lab: Lab, folder: Path) -> str:
    """The tag of an image with the large layer, which versions do not change."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(BASE)
    lab.docker.build(f"{lab.name}-large", folder, BASE=lab.base_image)
    return f"{lab.name}-large"


def main() -> None:
    """Print a Markdown table."""
    lab = Lab.load()
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        base = large_base(lab, Path(name) / "base")
        rows = story(project_in(lab, Path(name) / "registry", base), "registry")
        own = {"server": f"localhost:{port}", "image": images.wanted()["registry"]}
        try:
            rows += story(project_in(lab, Path(name) / "own", base, registry=own), "no registry (through SSH)")
            image = f"localhost:{port}/shop:t2"
            size = int(lab.docker("image", "inspect", "-f", "{{.Size}}", image).stdout) / 1e6
        finally:
            lab.docker("rm", "--force", "--volumes", f"kp-registry-{port}", check=False)
            lab.docker("volume", "rm", f"kp-registry-{port}", check=False)
            lab.docker("image", "rm", "--force", base, check=False)
            for host in HOSTS:
                lab.reset(host)
    head = "| three hosts at once | slowest pull, seconds | MB into a host, at most |\n|---|---|---|"
    text = f"The image has {size:.0f} MB, most of it one layer of random bytes.\n\n{head}\n" + "\n".join(rows) + "\n"
    sys.stdout.write(text)
    if "--write" in sys.argv:
        PAGE.write_text(replace_part(PAGE.read_text(), "transfer", text))


if __name__ == "__main__":
    main()
