"""Registry credentials of this machine, and kp's built-in registry."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import time
from email.message import Message

from kamal_pyinfra.config.image import Registry
from kamal_pyinfra.config.secrets import registry_credentials
from kamal_pyinfra.errors import BuildFailed, RegistryFailed
from kamal_pyinfra.local.programs import ANSWER_SECONDS, Argv, Programs
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.image import NOTE, label_check
from kamal_pyinfra.shell.script import chain, quoted

LABEL = "kp.registry"
FOLDER = "/var/lib/registry"
LOOPBACK = "127.0.0.1"
START_SECONDS = 20
FETCH_SECONDS = 600
"""For the first start, which fetches the image."""
ASK_SECONDS = 5
DIGEST = "sha256:[0-9a-f]{64}"
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Kinds of images, of one platform and of several, as engines ask for them."""


def login_command(server: str | None, username: str) -> Argv:
    """``docker login``; the password comes on standard input."""
    return ["docker", "login", *([server] if server else []), "-u", username, "--password-stdin"]


def log_in(run: Run) -> None:
    """Log this machine in; the password travels on standard input."""
    username, password = registry_credentials(run.config)
    _execute(login_command(run.config.registry.server, username), password.get_secret_value())


def log_out(run: Run) -> None:
    """Log this machine out."""
    server = run.config.registry.server
    _execute(["docker", "logout", *([server] if server else [])], "")


def _execute(argv: Argv, stdin: str) -> None:
    if shutil.which("docker") is None:
        raise RegistryFailed("Docker is not installed on this machine; --skip-local leaves it out")
    end = Programs().run(argv, secret=stdin, silent=ANSWER_SECONDS)
    if end.failure:
        raise RegistryFailed(end.message(f"this machine: `{' '.join(argv[:2])}`"))


def name(port: int) -> str:
    """Name of the container, and of the volume with what was pushed."""
    return f"kp-registry-{port}"


def pull(image: str, digest: str, service: str, port: int) -> str:
    """Pull an image by its digest, whatever answers on the loopback of the host, and give it its name.

    The run warns of a host whose sshd opens forwarded ports to the network (``GatewayPorts yes``).
    """
    reference = f"{image.rpartition(':')[0]}@{digest}"
    listens = f"^ *[0-9]+: (0{{8}}|0{{32}}):{port:04X} 0+:0000 0A "
    note = f"{NOTE}sshd opened port {port} to the network, not to the host alone (GatewayPorts yes in sshd_config)"
    return chain(
        f"{{ ! grep -qE {quoted(listens)} /proc/net/tcp /proc/net/tcp6 2> /dev/null || echo {quoted(note)}; }}",
        f"docker pull {quoted(reference)}",
        f"docker tag {quoted(reference, image)}",
        label_check(image, service),
    )


def digest(port: int, image: str, version: str) -> str:
    """What the registry has under a version; it is ours, so its word is good."""
    answer = _ask(port, "HEAD", f"/v2/{image}/manifests/{version}", Accept=", ".join(MANIFESTS))
    found = answer.get("Docker-Content-Digest", "") if answer is not None else ""
    if not re.fullmatch(DIGEST, found):
        raise BuildFailed(
            f"localhost:{port}/{image}:{version} is not in the registry on this machine: `kp build push` builds it anew"
        )
    return found


def _ask(port: int, method: str, path: str, **fields: str) -> Message | None:
    """The fields of a good answer; ``None`` if there is none within :data:`ASK_SECONDS`."""
    with contextlib.closing(http.client.HTTPConnection(LOOPBACK, port, timeout=ASK_SECONDS)) as connection:
        try:
            connection.request(method, path, headers=fields)
            with connection.getresponse() as answer:
                return answer.headers if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException):
            return None


def started(registry: Registry, programs: Programs) -> bool:
    """Have it run, with what was pushed before; whether it does: not where its image cannot be had.

    That something answers at its port is not enough: another user of this machine may have put it there.
    """
    port = registry.built_in_port
    if not _is_ours(port, programs):
        with contextlib.closing(socket.socket()) as probe:
            probe.settimeout(ASK_SECONDS)
            is_taken = probe.connect_ex((LOOPBACK, port)) == 0
        if is_taken:
            raise BuildFailed(
                f"localhost:{port} is not the built-in registry: another program answers there, and not the container "
                f"{name(port)}. Set another port with `registry: {{server: localhost:PORT}}`"
            )
        if not _has_begun(registry, programs):
            return False
    deadline = time.monotonic() + START_SECONDS
    while "Docker-Distribution-Api-Version" not in (_ask(port, "GET", "/v2/") or ()):
        if time.monotonic() > deadline:
            raise BuildFailed(f"The container {name(port)} runs, but localhost:{port} does not answer")
        time.sleep(0.1)
    return True


def _is_ours(port: int, programs: Programs) -> bool:
    """Whether kp's container runs and publishes the port."""
    bindings = '{{range index .HostConfig.PortBindings "5000/tcp"}}{{.HostIp}}:{{.HostPort}}{{end}}'
    argv = ["docker", "container", "inspect", "--format", f"{{{{.State.Running}}}} {bindings}", name(port)]
    answer = programs.ask(argv)
    return answer.succeeded and answer.out == f"true {LOOPBACK}:{port}"


def _has_begun(registry: Registry, programs: Programs) -> bool:
    port = registry.built_in_port
    if not programs.ask(["docker", "start", name(port)]).succeeded:
        volume, folder = f"{name(port)}:{FOLDER}", f"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY={FOLDER}"
        argv = [
            *("docker", "run", "--detach", "--restart", "unless-stopped", "--name", name(port), "--label", LABEL),
            *("--publish", f"{LOOPBACK}:{port}:5000", "--volume", volume, "--env", folder, registry.image),
        ]
        answer = programs.ask(argv, seconds=FETCH_SECONDS)
        if not answer.succeeded:
            complaint = (answer.error.splitlines() or ["docker run failed"])[-1]
            programs.warn(f"The built-in registry ({registry.image}) cannot start: {complaint}")
            return False
    if not _is_ours(port, programs):
        raise BuildFailed(
            f"The container {name(port)} does not run at {LOOPBACK}:{port}: remove it with "
            f"`docker rm -f {name(port)}` (its volume stays), and run the same command again"
        )
    return True


def removed(registry: Registry, programs: Programs) -> bool:
    """Have it gone; its volume stays. Returns whether it was there."""
    return programs.ask(["docker", "rm", "--force", name(registry.built_in_port)]).succeeded
