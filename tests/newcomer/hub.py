"""Docker Hub, as far as a newcomer needs it: a mirror with the images that are asked for by their names there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Network

from tests.lab import images, registry
from tests.lab.lab import Lab
from tests.lab.names import here
from tests.lab.process import wait_for

PLACE = 200
"""In the lab's network, beyond its hosts."""
CONFIGURE = "cat > /etc/docker/daemon.json"


@contextmanager
def docker_hub(lab: Lab, offered: Mapping[str, str]) -> Iterator[str]:
    """Run a mirror.

    Args:
        lab: whose engine and network it uses.
        offered: names at Docker Hub, such as `python:3.13-slim`, and the images here that stand for them.

    Yields:
        The mirror's address.
    """
    container, address = lab.container("hub"), str(IPv4Network(lab.subnet)[PLACE])
    flags = ("--name", container, "--label", here().label, "--network", lab.network, "--ip", address)
    lab.docker("run", "--detach", *flags, "--publish", "127.0.0.1::5000", images.wanted()["registry"])
    try:
        published = lab.docker("port", container, "5000/tcp").stdout.split()[0]
        port = int(published.rpartition(":")[2])
        wait_for("the mirror to answer", lambda: registry.answers(port), seconds=30)
        for name, image in offered.items():
            _put(lab, image, f"127.0.0.1:{port}/library/{name}")
        yield f"http://{address}:5000"
    finally:
        lab.docker("rm", "--force", "--volumes", container, check=False)


def _put(lab: Lab, image: str, reference: str) -> None:
    lab.docker("tag", image, reference)
    try:
        lab.docker("push", "--quiet", reference)
    finally:
        lab.docker("image", "rm", reference, check=False)


def use(lab: Lab, host: str, mirror: str) -> None:
    """Have a host's Docker, once it is installed, ask the mirror for what it wants of Docker Hub."""
    settings = json.loads(lab.exec(host, "cat /etc/docker/daemon.json").stdout)
    more = {"registry-mirrors": [mirror], "insecure-registries": [mirror.removeprefix("http://")]}
    lab.exec(host, CONFIGURE, input=json.dumps(settings | more))
