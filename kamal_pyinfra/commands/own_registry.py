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


LOAD = "docker load"


def pull(image: str, digest: str, service: str, port: int) -> str:
    """Pull an image by its digest, whoever answers on the loopback of the host, and give it its name.

    A host whose sshd opens forwarded ports to the network (``GatewayPorts yes``) is told of.
    """
    reference = f"{image.rpartition(':')[0]}@{digest}"
    listens = f"^ *[0-9]+: (0{{8}}|0{{32}}):{port:04X} 0+:0000 0A "
    note = f"{NOTE}sshd lent port {port} to the network, not to the host alone (GatewayPorts yes in sshd_config)"
    return chain(
        f"{{ ! grep -qE {words(listens)} /proc/net/tcp /proc/net/tcp6 2> /dev/null || echo {words(note)}; }}",
        f"docker pull {words(reference)}",
        f"docker tag {words(reference, image)}",
        label_check(image, service),
    )


def was_loaded(image: str, service: str) -> str:
    """An image that came as a stream is checked like one that was pulled."""
    return chain(label_check(image, service), f"echo {words(f'{NOTE}{image} was sent as a whole, without a registry')}")
