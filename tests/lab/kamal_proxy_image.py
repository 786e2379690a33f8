"""Which kamal-proxy a lab has, and how a host gets it.

The image that KP_LAB_KAMAL_PROXY_IMAGE names (a tar of `docker save`, or a reference), else Docker Hub's where that can
be reached, else the stand-in.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

from tests.lab.docker import Docker
from tests.lab.images import Images
from tests.lab.lab import Lab
from tests.lab.process import LabError, say, wait_for

VARIABLE = "KP_LAB_KAMAL_PROXY_IMAGE"
REFERENCE = "basecamp/kamal-proxy:v0.9.2"
STAND_IN = "stand-in (tests/lab/kamal_proxy)"
PATIENCE = 120.0
NAME = "kamal-proxy"

GIVE = """
! docker image inspect "$1" >/dev/null 2>&1 || exit 0
config=$(mktemp -d)
trap 'rm -rf "$config"' EXIT
docker --config "$config" login --username "$3" --password-stdin "${2%%/*}" >/dev/null 2>&1 &&
  docker --config "$config" pull --quiet "$2" && docker tag "$2" "$1" && docker image rm "$2"
"""


def asked() -> str:
    """Return the image that the environment names, or nothing."""
    return os.environ.get(VARIABLE, "")


def choose(docker: Docker, images: Images) -> tuple[Images, str]:
    """Return the lab's images with the kamal-proxy that there is, and which one that is."""
    if asked():
        return _with(docker, images, _named(docker, asked())), f"real, from {asked()}"
    if docker.has_image(REFERENCE) or _pull(docker, REFERENCE):
        return _with(docker, images, REFERENCE), f"real, {REFERENCE} from Docker Hub"
    return images, STAND_IN


def _named(docker: Docker, image: str) -> str:
    """Return the reference of an image that was asked for; a lab without it would not be the one asked for."""
    if Path(image).is_file():
        loaded = docker("load", "--quiet", "--input", image).stdout
        return loaded.strip().partition(": ")[2].splitlines()[0]
    if not docker.has_image(image) and not _pull(docker, image):
        raise LabError(f"{VARIABLE}: neither a file nor an image that can be pulled: {image}")
    return image


def _with(docker: Docker, images: Images, reference: str) -> Images:
    digest = docker("image", "inspect", "--format", "{{.Id}}", reference).stdout.strip()
    result = images.with_kamal_proxy(hashlib.sha256(digest.encode()).hexdigest()[:12])
    docker("tag", reference, result["kamal-proxy"])
    return result


def _pull(docker: Docker, reference: str) -> bool:
    say(f"pulling {reference}")
    try:
        return docker("pull", "--quiet", reference, check=False, timeout=PATIENCE).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def give(lab: Lab, host: str, image: str = "", name: str = REFERENCE) -> None:
    """Let a host have an image of the lab's registry under a name, and no login; by default kamal-proxy as Kamal's."""
    words = ("sh", name, image or lab.kamal_proxy_image, lab.registry.username)
    lab.ssh(host, f"sh -ec {shlex.quote(GIVE)} {shlex.join(words)}", input=lab.registry.password, timeout=120)


def start(lab: Lab, host: str, *arguments: str, options: str = "--publish 80:80 --publish 443:443") -> None:
    """Start kamal-proxy on a host as Kamal does, and wait until it takes commands.

    Args:
        lab: where the host is.
        host: its name.
        arguments: what `kamal-proxy run` gets.
        options: of `docker run`, besides those that Kamal always has.
    """
    give(lab, host)
    lab.ssh(
        host,
        "docker network inspect kamal >/dev/null 2>&1 || docker network create kamal >/dev/null; "
        "mkdir -p .kamal/proxy/apps-config; "
        f"docker run --name {NAME} --network kamal --detach --restart unless-stopped "
        "--volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy "
        f'--volume "$PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config" {options} {REFERENCE} '
        + shlex.join(["kamal-proxy", "run", *arguments] if arguments else []),
    )
    wait_until_ready(lab, host)


def wait_until_ready(lab: Lab, host: str) -> None:
    """Wait until kamal-proxy takes commands."""
    wait_for("kamal-proxy to take commands", lambda: command(lab, host, "list").returncode == 0, seconds=30)


def command(lab: Lab, host: str, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Give kamal-proxy on a host a command."""
    line = shlex.join(["docker", "exec", NAME, "kamal-proxy", *words])
    return lab.exec(host, line, check=False, timeout=timeout)
