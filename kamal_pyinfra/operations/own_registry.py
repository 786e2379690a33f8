"""The registry of one's own: a container on the deploying machine, reachable on its loopback alone."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import time
from collections.abc import Mapping
from email.message import Message

from kamal_pyinfra.commands import own_registry as commands
from kamal_pyinfra.config.registry import Registry
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations.local_program import Programs

START_SECONDS = 20
FETCH_SECONDS = 600
"""For the first start, which fetches the image."""
ASK_SECONDS = 5
LOOPBACK = "127.0.0.1"
NOTHING: Mapping[str, str] = {}
DIGEST = "sha256:[0-9a-f]{64}"
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Kinds of images, of one platform and of several, as engines ask for them."""


def answers(port: int) -> bool:
    """Whether a registry answers on the loopback of this machine."""
    answer = _ask(port, "GET", "/v2/")
    return answer is not None and answer[0] == http.client.OK and "Docker-Distribution-Api-Version" in answer[1]


def digest(port: int, image: str, version: str) -> str:
    """What the registry has under a version; it is ours, so its word is good.

    Raises:
        BuildFailed: it has no such version, or does not answer.
    """
    answer = _ask(port, "HEAD", f"/v2/{image}/manifests/{version}", {"Accept": ", ".join(MANIFESTS)})
    found = answer[1].get("Docker-Content-Digest", "") if answer is not None else ""
    if answer is None or answer[0] != http.client.OK or not re.fullmatch(DIGEST, found):
        raise BuildFailed(
            f"localhost:{port}/{image}:{version} is not in the registry on this machine: `kp build push` builds it anew"
        )
    return found


def _ask(port: int, method: str, path: str, fields: Mapping[str, str] = NOTHING) -> tuple[int, Message] | None:
    """Status and fields of an answer; ``None`` if there is none within :data:`ASK_SECONDS`."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ASK_SECONDS)
    try:
        connection.request(method, path, headers=dict(fields))
        with connection.getresponse() as answer:
            return answer.status, answer.headers
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def is_taken(port: int) -> bool:
    """Whether any program listens there."""
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(ASK_SECONDS)
        return probe.connect_ex((LOOPBACK, port)) == 0


def started(registry: Registry, programs: Programs) -> bool:
    """Have it run; what was pushed before is still in its volume.

    That something answers at its port is not enough: another user of this machine may have put it there.

    Returns:
        Whether it runs; not where its image cannot be had.

    Raises:
        BuildFailed: its port is another program's, or it does not answer once it runs.
    """
    port = registry.own_port
    if not _is_ours(port, programs):
        if is_taken(port):
            raise BuildFailed(
                f"localhost:{port} is no registry of ours: another program answers there, and not the container "
                f"{commands.name(port)}. Set another port with `registry: {{server: localhost:PORT}}`"
            )
        if not _has_begun(registry, programs):
            return False
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        if time.monotonic() > deadline:
            raise BuildFailed(f"The container {commands.name(port)} runs, but localhost:{port} does not answer")
        time.sleep(0.1)
    return True


def _is_ours(port: int, programs: Programs) -> bool:
    said = programs.ask(commands.inspect(port))
    return said.succeeded and said.out == f"true {LOOPBACK}:{port}"


def _has_begun(registry: Registry, programs: Programs) -> bool:
    port = registry.own_port
    if not programs.ask(commands.start(port)).succeeded:
        said = programs.ask(commands.run(port, registry.image), seconds=FETCH_SECONDS)
        if not said.succeeded:
            complaint = (said.error.splitlines() or ["docker run failed"])[-1]
            programs.warn(f"No registry of our own ({registry.image}): {complaint}")
            return False
    if not _is_ours(port, programs):
        raise BuildFailed(
            f"The container {commands.name(port)} does not run at {LOOPBACK}:{port}: remove it with "
            f"`docker rm -f {commands.name(port)}` (its volume stays), and run the same command again"
        )
    return True


def removed(registry: Registry, programs: Programs) -> bool:
    """Have it gone; its volume stays. Returns whether it was there."""
    return programs.ask(commands.remove(registry.own_port)).succeeded
