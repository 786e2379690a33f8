"""Other services on the same host: they share its proxy, and the engine's login to a registry."""

from __future__ import annotations

from collections.abc import Iterable

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import ReplaceProxy
from kamal_pyinfra.plan.diff_proxy import diff_proxy
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.state import DesiredHost

ROUTE_LABEL = "traefik."


def contradictions(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """Why the proxy of other services must not be changed as ``traefik:`` asks for."""
    return [
        f"{desired.host}: `traefik:` contradicts the running proxy of {owner} ({change.cause})"
        for change in diff_proxy(desired, observed)
        if isinstance(change, ReplaceProxy) and (owner := other_owner(change.proxy.owner, observed))
    ]


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
    return any(label.startswith(ROUTE_LABEL) for label in container.labels)
