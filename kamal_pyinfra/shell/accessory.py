"""Accessories on a host: their files, their containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as fields_replaced

from kamal_pyinfra.naming import ACCESSORY_LABEL
from kamal_pyinfra.plan.desired import WORKING_FOLDER
from kamal_pyinfra.plan.docker_values import split_command
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.desired import AccessoryContainer
from kamal_pyinfra.shell import container
from kamal_pyinfra.shell.script import chain, join, quoted


def run(accessory: AccessoryContainer) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels."""
    hiding = hiding_labels(accessory.labels, accessory.options)
    run = container.docker_run(
        accessory,
        quoted("--name", accessory.name),
        container.SERVICE,
        container.logging(accessory),
        quoted("--publish", accessory.publish) if accessory.publish else "",
        _surroundings(accessory),
        container.labels(accessory, *hiding, own=((ACCESSORY_LABEL, accessory.owner),)),
    )
    return f"{run} > /dev/null"


def _surroundings(accessory: AccessoryContainer) -> str:
    volumes = (
        f'"$PWD"/{quoted(volume.removeprefix(WORKING_FOLDER))}' if volume.startswith(WORKING_FOLDER) else quoted(volume)
        for volume in accessory.volumes
    )
    return join(container.environment(accessory), *(f"--volume {volume}" for volume in volumes))


def replace(accessory: AccessoryContainer) -> str:
    """Replace the container; the image is there before the old one stops. Volumes and folders stay."""
    name = accessory.name
    steps = (container.stop(name), container.remove(name), run(accessory))
    return chain(f"pull_if_missing {quoted(accessory.image)}", *steps)


def make_directories(paths: Sequence[str]) -> str:
    """Create an accessory's folders, which a container of any user can reach whatever the umask."""
    return f"( umask 022 && mkdir -p {quoted(*paths)} )"


def write_file(path: str) -> str:
    """Put base64 from standard input, after the length of what it stands for, into a file of mode 755 (Kamal 1.9)."""
    # The first part is the accessory's folder.
    base, *parts, name = path.split("/")
    return f"write_upload {quoted(path, name, base, *parts)}"


def remove_image(image: str) -> str:
    """Remove the image unless a container of whomever uses it."""
    return f"remove_unused_image {quoted(image)}"


def execute(accessory: AccessoryContainer, command: str, *, is_reused: bool, is_terminal: bool = False) -> str:
    """Run a command in the container that is there, or in a new one with its environment and volumes."""
    arguments = quoted(*split_command(command))
    terminal = "-it" if is_terminal else ""
    if is_reused:
        return join("docker exec", terminal, quoted(accessory.name), arguments)
    once = fields_replaced(accessory, options=())
    return container.docker_run_once(once, terminal, "--rm", _surroundings(accessory), command=arguments)
