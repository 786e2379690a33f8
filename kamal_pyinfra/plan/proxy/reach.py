"""What changed labels say about where the proxy finds a new container, which nobody has tried yet.

A container gets requests as soon as Docker calls it healthy, and only then can the proxy be asked for it. Its health
check is about the app, wherever that listens; the proxy goes where the labels of its service say. Where these name
another port than those of the container that serves, the host looks whether anything listens there before it lets the
container become healthy. What else may keep the proxy from it is not seen from the host: that is marked in the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kamal_pyinfra.plan.proxy.gate import without_gate
from kamal_pyinfra.plan.proxy.router_names import Element, definitions, identity, is_hidden, local_name, usual_labels
from kamal_pyinfra.plan.state.desired import AppContainer
from kamal_pyinfra.plan.state.observed import ObservedContainer

PORT = "loadbalancer.server.port"
MATTERS = ("loadbalancer.server.", "loadbalancer.serverstransport", "loadbalancer.healthcheck.")
"""Fields of a service that decide whether a request arrives."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What is new about the way from the proxy to a container.

    Args:
        port: on which the app has to listen before it may become healthy; empty for the lowest that its image
            exposes, as Traefik takes it; ``None`` if there is nothing to look for.
        untried: what is only tried when requests may go there already; empty if there is no such thing.
    """

    port: str | None = None
    untried: str = ""


def new_reach(container: AppContainer, running: Iterable[ObservedContainer]) -> Reach:
    """How the proxy would reach a new container otherwise than those of its role that serve; the first such service.

    Args:
        container: the new one, with the configuration's names.
        running: all that run on the host, whosever they are, in whatever state of health.
    """
    ours = identity(dict(container.labels))
    shown = [each for each in running if not is_hidden(each.labels) and _owner(each) == ours]
    before = [services for each in shown if (services := _routed_services(each.labels, each.name))]
    wanted = _routed_services(dict(container.labels), container.name)
    known = [service for services in before for service in services.values()]
    new = [service for service in wanted.values() if service not in known] if before else []
    if not new:
        return Reach()
    others = sorted({field for service in new for field in _differing(service, known)} - {PORT})
    ports = {service.get(PORT, "") for service in new} - {service.get(PORT, "") for service in known}
    port = next(iter(sorted(ports)), None)
    is_tried = len(ports) <= 1 and (container.cord is not None or not ports)
    untried = ", ".join(others if is_tried else [*others, PORT])
    return Reach(port=port if container.cord is not None else None, untried=untried)


def _owner(container: ObservedContainer) -> tuple[str, ...]:
    return container.service, container.role, container.destination


def _differing(service: Mapping[str, str], known: Sequence[Mapping[str, str]]) -> set[str]:
    """The fields in which it is not like the one of those that it is most like."""
    different = ({name for name in {*service, *each} if service.get(name) != each.get(name)} for each in known)
    return min(different, key=lambda fields: (len(fields - {PORT}), len(fields)), default=set(service))


def _routed_services(labels: Mapping[str, str], container: str) -> dict[str, dict[str, str]]:
    """What the services of a container's routers say of the way to it."""
    defined = definitions(usual_labels(without_gate(labels)), container)
    names = (fields["service"] for each, fields in defined.items() if (each.protocol, each.kind) == ("http", "routers"))
    return {name: dict(_way(name, container, defined)) for name in names}


def _way(reference: str, container: str, defined: Mapping[Element, Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    service = defined.get(Element("http", "services", local_name(reference)))
    if service is None and reference != container:
        yield "service", reference
    for field, value in (service or {}).items():
        if field.startswith(MATTERS):
            yield field, value
    transport = Element(
        "http", "serverstransports", local_name((service or {}).get("loadbalancer.serverstransport", ""))
    )
    yield from ((f"serverstransport.{field}", value) for field, value in defined.get(transport, {}).items())
