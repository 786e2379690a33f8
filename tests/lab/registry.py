"""The lab's registry: a container that this machine and every host reach at the same loopback address."""

from __future__ import annotations

import base64
import socket
import urllib.error
import urllib.request
from contextlib import closing

from tests.lab.docker import Docker
from tests.lab.images import Images
from tests.lab.lab import Registry
from tests.lab.names import REGISTRY_USER, Names, port_candidates
from tests.lab.process import LabError, say, wait_for

SEEDED = {"base": "python", "traefik": "traefik"}
PUSHED = {"basecamp/kamal-proxy": "kamal-proxy"}
TAGS = {"base": "latest", "traefik": "v3", "basecamp/kamal-proxy": "v0.9.2"}


def seed(docker: Docker, names: Names, images: Images) -> str:
    """Return a registry image that holds the lab's images already; made once, by pushing to one."""
    if docker.has_image(images.seeded):
        return images.seeded
    say("filling the registry")
    port = free_port(names.number + 1)
    container = names.container("seed")
    published = ("--publish", f"127.0.0.1:{port}:5000")
    docker("run", "--detach", "--name", container, "--label", names.label, *published, images["registry"])
    wait_for("the registry to start", lambda: answers(port), seconds=30)
    for repository, image in SEEDED.items():
        reference = f"127.0.0.1:{port}/{repository}:{TAGS[repository]}"
        docker("tag", images[image], reference)
        docker("push", "--quiet", reference)
        docker("image", "rm", reference)
    docker("stop", "--time", "5", container)
    docker(
        "commit",
        "--change",
        "LABEL kp.lab=",
        "--change",
        "LABEL kp.lab.image=seeded",
        container,
        images.seeded,
    )
    docker("rm", "--force", "--volumes", container)
    return images.seeded


def start(docker: Docker, names: Names, image: str, registry: Registry, address: str) -> None:
    """Start the registry at its address of the lab's network, and on loopback here."""
    flags = ["--name", names.container("registry"), "--label", names.label, "--hostname", "registry"]
    flags += ["--network", names.lab, "--ip", address, "--publish", f"{registry.server}:5000"]
    flags += ["--env", f"LAB_USER={registry.username}", "--env", f"LAB_PASSWORD={registry.password}"]
    docker("run", "--detach", *flags, image)


def new_account(number: int, password: str) -> Registry:
    """Describe a registry on a free port of this machine."""
    return Registry(f"127.0.0.1:{free_port(number)}", REGISTRY_USER, password)


def tag_for(docker: Docker, registry: Registry, images: Images) -> dict[str, str]:
    """Give this machine's copies the names that the registry knows them by."""
    references = {name: f"{registry.server}/{name}:{tag}" for name, tag in TAGS.items()}
    for name, reference in references.items():
        docker("tag", images[(SEEDED | PUSHED)[name]], reference)
    return references


def free_port(number: int) -> int:
    """Return the first of the lab's ports that nothing listens on."""
    for port in port_candidates(number):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError("no free port for the registry")


def answers(port: int, registry: Registry | None = None) -> bool:
    """Tell whether the registry answers, and accepts the account when one is given."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/")
    if registry is not None:
        token = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=3) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
