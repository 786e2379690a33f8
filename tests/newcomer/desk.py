"""The newcomer's machine: a bare host of the lab, with packages of PyPI in reach and nothing of this checkout on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from tests.e2e.bases import download
from tests.e2e.project import CHECKOUT
from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.names import here

NAME = "desk"
USER = "admin"
HOME = "/home/admin"
PLACE = 201
"""In the lab's network, beyond its hosts."""
PIP = "[global]\nno-index = true\nfind-links = /wheels\n"
GIT = "[user]\n\tname = New Comer\n\temail = new@example.com\n[init]\n\tdefaultBranch = main\n"


def build_wheels(lab: Lab, folder: Path) -> None:
    """The wheel of this checkout, and those that pipx fetches from PyPI to install it."""
    made = folder.with_name("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=100)
    (wheel,) = made.glob("*.whl")
    download(lab, folder, [str(wheel), "pip"])


@contextmanager
def desk(lab: Lab, wheels: Path) -> Iterator[Lab]:
    """Start the machine.

    Yields:
        The lab with it as a host more.
    """
    names, plan = here(), hosts.read_plan(lab.state)
    address = str(IPv4Network(lab.subnet)[PLACE])
    images = plan.images | {NAME: plan.images["bare1"]}
    plan = replace(plan, images=images, addresses=plan.addresses | {NAME: address})
    with_desk = replace(lab, hosts=lab.hosts | {NAME: address})
    try:
        hosts.start(lab.docker, names, plan, NAME)
        with_desk.wait_until_ready(NAME)
        _furnish(with_desk, wheels)
        yield with_desk
    finally:
        lab.docker("rm", "--force", "--volumes", lab.container(NAME), check=False)


def _furnish(lab: Lab, wheels: Path) -> None:
    """What somebody with a server and a repository has: a key for it, and a name for git."""
    lab.docker("cp", str(wheels), f"{lab.container(NAME)}:/wheels")
    write(lab, "/etc/pip.conf", PIP)
    write(lab, f"{HOME}/.gitconfig", GIT)
    write(lab, f"{HOME}/.ssh/id_ed25519", lab.key.read_text())


def write(lab: Lab, path: str, text: str) -> None:
    """Put a file of the user's on the machine."""
    lab.exec(NAME, f"cat > {path} && chown {USER}: {path} && chmod 600 {path}", input=text)


def bring_app(lab: Lab, example: str, folder: str, scratch: Path) -> None:
    """Have the files of an example that are the app, without those that kp reads, in a repository with one commit."""
    ignored = shutil.ignore_patterns("__pycache__", "config", "inventory.py", ".env*", "README.md")
    app = shutil.copytree(CHECKOUT / "examples" / example, scratch / "app", ignore=ignored)
    lab.docker("cp", str(app), f"{lab.container(NAME)}:{HOME}/{folder}")
    first = f"cd {folder} && git init --quiet && git add . && git commit --quiet --message 'An app'"
    lab.exec(NAME, f"chown -R {USER}: {HOME}/{folder}")
    lab.ssh(NAME, first, user=USER)


def start_services(lab: Lab) -> None:
    """Do what the init system of a real machine does with a service that was installed."""
    lab.exec(NAME, "docker version || service docker start")
    lab.exec(NAME, "for try in $(seq 100); do docker version && exit; sleep 0.2; done; exit 1")
