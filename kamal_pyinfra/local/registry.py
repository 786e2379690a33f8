"""Registry credentials here, and kp's built-in registry."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from email.message import Message

from kamal_pyinfra.config.image import Registry
from kamal_pyinfra.config.secrets import registry_credentials
from kamal_pyinfra.errors import BuildFailed, RegistryFailed
from kamal_pyinfra.local.programs import ANSWER_SECONDS, Argv, Programs
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.image import NOTE, label_check
from kamal_pyinfra.shell.script import chain, quoted
from kamal_pyinfra.text import sanitized


def login_command(server: str | None, username: str) -> Argv:
    """``docker login``; the password comes on standard input."""
    return ["docker", "login", *([server] if server else []), "-u", username, "--password-stdin"]


def logout_command(server: str | None) -> list[str]:
    """``docker logout``."""
    return ["docker", "logout", *([server] if server else [])]


def log_in(run: Run) -> None:
    """Log this machine in; the password travels on standard input.

    Raises:
        RegistryFailed: Docker is missing here, or the registry refuses.
    """
    username, password = registry_credentials(run.config)
    _execute(login_command(run.config.registry.server, username), password.get_secret_value())


def log_out(run: Run) -> None:
    """Log this machine out.

    Raises:
        RegistryFailed: Docker is missing here.
    """
    _execute(logout_command(run.config.registry.server), "")


def _execute(command: list[str], stdin: str) -> None:
    if shutil.which("docker") is None:
        raise RegistryFailed("Docker is not installed on this machine; --skip-local leaves it out")
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of our own, no shell
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        shown = " ".join(command[:2])
        raise RegistryFailed(f"this machine: `{shown}` did not answer within {ANSWER_SECONDS} s") from None
    if done.returncode != 0:
        said = "\n".join(f"  {sanitized(line)}" for line in done.stderr.splitlines())
        raise RegistryFailed(f"this machine: `{' '.join(command[:2])}` failed\n{said}".rstrip())


LABEL = "kp.registry"

FOLDER = "/var/lib/registry"


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


def inspect(port: int) -> list[str]:
    """Print whether it runs, and the address that it publishes."""
    bindings = '{{range index .HostConfig.PortBindings "5000/tcp"}}{{.HostIp}}:{{.HostPort}}{{end}}'
    return ["docker", "container", "inspect", "--format", f"{{{{.State.Running}}}} {bindings}", name(port)]


def remove(port: int) -> list[str]:
    """Take the container away; the volume stays."""
    return ["docker", "rm", "--force", name(port)]


def save(image: str) -> list[str]:
    """An image as a stream."""
    return ["docker", "save", image]


def pull(image: str, digest: str, service: str, port: int) -> str:
    """Pull an image by its digest, whoever answers on the loopback of the host, and give it its name.

    A host whose sshd opens forwarded ports to the network (``GatewayPorts yes``) is told of.
    """
    reference = f"{image.rpartition(':')[0]}@{digest}"
    listens = f"^ *[0-9]+: (0{{8}}|0{{32}}):{port:04X} 0+:0000 0A "
    note = f"{NOTE}sshd lent port {port} to the network, not to the host alone (GatewayPorts yes in sshd_config)"
    return chain(
        f"{{ ! grep -qE {quoted(listens)} /proc/net/tcp /proc/net/tcp6 2> /dev/null || echo {quoted(note)}; }}",
        f"docker pull {quoted(reference)}",
        f"docker tag {quoted(reference, image)}",
        label_check(image, service),
    )


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
    port = registry.built_in_port
    if not _is_ours(port, programs):
        if is_taken(port):
            raise BuildFailed(
                f"localhost:{port} is no registry of ours: another program answers there, and not the container "
                f"{name(port)}. Set another port with `registry: {{server: localhost:PORT}}`"
            )
        if not _has_begun(registry, programs):
            return False
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        if time.monotonic() > deadline:
            raise BuildFailed(f"The container {name(port)} runs, but localhost:{port} does not answer")
        time.sleep(0.1)
    return True


def _is_ours(port: int, programs: Programs) -> bool:
    said = programs.ask(inspect(port))
    return said.succeeded and said.out == f"true {LOOPBACK}:{port}"


def _has_begun(registry: Registry, programs: Programs) -> bool:
    port = registry.built_in_port
    if not programs.ask(start(port)).succeeded:
        said = programs.ask(run(port, registry.image), seconds=FETCH_SECONDS)
        if not said.succeeded:
            complaint = (said.error.splitlines() or ["docker run failed"])[-1]
            programs.warn(f"No registry of our own ({registry.image}): {complaint}")
            return False
    if not _is_ours(port, programs):
        raise BuildFailed(
            f"The container {name(port)} does not run at {LOOPBACK}:{port}: remove it with "
            f"`docker rm -f {name(port)}` (its volume stays), and run the same command again"
        )
    return True


def removed(registry: Registry, programs: Programs) -> bool:
    """Have it gone; its volume stays. Returns whether it was there."""
    return programs.ask(remove(registry.built_in_port)).succeeded
