"""Other services on the same host: they share its proxy, and the engine's login to a registry."""

from __future__ import annotations

from collections.abc import Iterable

from kamal_pyinfra import naming
from kamal_pyinfra.plan.observed import PROJECT_LABELS, ObservedContainer, ObservedHost
from kamal_pyinfra.plan.router_names import is_hidden

ROUTE_LABEL = "traefik."
KAMALS_LABEL = "traefik.http.routers.catchall.rule"
KAMALS_ARGUMENT = "--providers.docker"
"""What every proxy has that Kamal 1.9 started, whatever ``traefik:`` says."""


def foreign_proxy(observed: ObservedHost) -> str:
    """What the container ``traefik`` is, if neither kp nor Kamal started it; empty if it is ours, or not there.

    A label that comes from its image says nothing of who started it.
    """
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None:
        return ""
    given = observed.given_labels(proxy)
    is_kamals = KAMALS_LABEL in given and KAMALS_ARGUMENT in proxy.command
    if not proxy.is_orchestrated and (naming.OWNER_LABEL in given or is_kamals):
        return ""
    project = next((given[name] for name in PROJECT_LABELS if name in given), "")
    return f"image {proxy.image}{f', project {project}' if project else ''}"


def refused_proxy(observed: ObservedHost) -> tuple[str, ...]:
    """Why nothing may be done to the container ``traefik``; nothing if it is ours, or not there."""
    if not (what := foreign_proxy(observed)):
        return ()
    return (
        f"{observed.host}: the container {naming.PROXY_CONTAINER} ({what}) was started by neither kp nor Kamal, and is "
        f"left alone; rename it (`docker rename {naming.PROXY_CONTAINER} NAME`) and give ours ports that are free "
        "(`traefik: host_port`), or set `traefik: false` for the roles on this host",
    )


def other_owner(own_name: str, observed: ObservedHost) -> str:
    """Other services that run on the host, unless the running proxy was started for ours."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None or proxy.labels.get(naming.OWNER_LABEL) == own_name:
        return ""
    others = {each.service_name for each in observed.containers if each.role and each.is_running}
    return ", ".join(sorted(others - {own_name}))


def proxy_users(containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose containers the proxy of their host routes to, when they run."""
    routed = (each for each in containers if each.name != naming.PROXY_CONTAINER and _is_routed(each))
    return tuple(sorted({each.service_name for each in routed}))


def registry_users(server: str | None, containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose images come from a registry; without server from Docker Hub."""
    users = (each for each in containers if each.service and registry_of_image(each.image) == (server or ""))
    return tuple(sorted({each.service_name for each in users}))


def registry_of_image(image: str) -> str:
    """The server in an image's name: the first part if it has a dot or a port, or is ``localhost``."""
    first, slash, _ = image.partition("/")
    is_server = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_server else ""


def _is_routed(container: ObservedContainer) -> bool:
    return any(label.startswith(ROUTE_LABEL) for label in container.labels) and not is_hidden(container.labels)
