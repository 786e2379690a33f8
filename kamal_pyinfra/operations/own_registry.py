"""The registry of one's own: a container on the deploying machine, reachable on its loopback alone."""

from __future__ import annotations

import http.client
import time

from kamal_pyinfra.commands import own_registry as commands
from kamal_pyinfra.config.registry import Registry
from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations.local_program import Programs

START_SECONDS = 20
ASK_SECONDS = 2


def is_there(port: int) -> bool:
    """Whether a registry answers on the loopback of this machine.

    Raises:
        BuildFailed: another program does.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/v2/")
        with connection.getresponse() as answer:
            is_registry = answer.status == http.client.OK and answer.headers.get("Docker-Distribution-Api-Version")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    if not is_registry:
        raise BuildFailed(
            f"localhost:{port} is no registry of ours: another program answers there. "
            "Set another port with `registry: {server: localhost:PORT}`"
        )
    return True


def started(registry: Registry, programs: Programs) -> bool:
    """Have it run; what was pushed before is still in its volume.

    Returns:
        Whether it runs; not where its image cannot be had.

    Raises:
        BuildFailed: its port is another program's, or it does not answer once it runs.
    """
    port = registry.own_port
    if is_there(port):
        return True
    if not programs.ask(commands.start(port)).succeeded:
        said = programs.ask(commands.run(port, registry.image))
        if not said.succeeded:
            complaint = (said.error.splitlines() or ["docker run failed"])[-1]
            programs.warn(f"No registry of our own ({registry.image}): {complaint}")
            return False
    deadline = time.monotonic() + START_SECONDS
    while not is_there(port):
        if time.monotonic() > deadline:
            raise BuildFailed(f"The container {commands.name(port)} runs, but localhost:{port} does not answer")
        time.sleep(0.1)
    return True


def removed(registry: Registry, programs: Programs) -> bool:
    """Have it gone; its volume stays. Returns whether it was there."""
    return programs.ask(commands.remove(registry.own_port)).succeeded
