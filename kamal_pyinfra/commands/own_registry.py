"""Argument lists for the registry on the deploying machine, and what brings its images to hosts."""

from __future__ import annotations

from kamal_pyinfra.commands.image import label_check
from kamal_pyinfra.commands.shell import chain, words

LABEL = "kp.registry"
FOLDER = "/var/lib/registry"
NOTE = "kp-note "
"""Begins a line that a user should read."""


def name(port: int) -> str:
    """Of the container, and of the volume with what was pushed."""
    return f"kp-registry-{port}"


def run(port: int, image: str) -> list[str]:
    """Start it for the first time."""
    volume, folder = f"{name(port)}:{FOLDER}", f"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY={FOLDER}"
    return [
        *("docker", "run", "--detach", "--restart", "unless-stopped", "--name", name(port), "--label", LABEL),
        *("--publish", f"127.0.0.1:{port}:5000", "--volume", volume, "--env", folder, image),
    ]


def start(port: int) -> list[str]:
    """Start it again; fails where it never was."""
    return ["docker", "start", name(port)]


def remove(port: int) -> list[str]:
    """Take the container away; the volume stays."""
    return ["docker", "rm", "--force", name(port)]


def save(image: str) -> list[str]:
    """An image as a stream."""
    return ["docker", "save", image]


LOAD = "docker load"


def was_loaded(image: str, service: str) -> str:
    """An image that came as a stream is checked like one that was pulled."""
    return chain(label_check(image, service), f"echo {words(f'{NOTE}{image} was sent as a whole, without a registry')}")
