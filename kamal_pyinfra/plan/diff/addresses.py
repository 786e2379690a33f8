"""What two versions of a role cannot both have: a port of the host, or all of its network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra.config.values import networks
from kamal_pyinfra.naming import replaced_name
from kamal_pyinfra.plan.changes import AwaitContainer, BootContainer, ReplaceContainer
from kamal_pyinfra.plan.docker_values import published_ports
from kamal_pyinfra.plan.proxy.gate import has_routers
from kamal_pyinfra.plan.state.desired import AppContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def stopping_first(desired: DesiredHost, change: BootContainer, observed: ObservedHost) -> BootContainer:
    """The change with what it stops before it starts, marked in its cause; nothing behind the proxy stops first.

    Of replicas on one network it is known that they listen on nothing.
    """
    container = change.container
    wanted = sum(each.role == container.role for each in desired.containers)
    if wanted > 1 or isinstance(change, AwaitContainer):
        return change
    found = {
        old.name: shared
        for old in desired.owner.running(observed.containers)
        if old.role == container.role and (shared := _shared(container, old))
    }
    if not found:
        return change
    is_renamed = isinstance(change, ReplaceContainer)
    names = tuple(
        replaced_name(name, desired.run.replaced_suffix) if is_renamed and name == container.name else name
        for name in found
    )
    stops = f"interrupts {container.role}: {', '.join(found)} stops first, both {next(iter(found.values()))}"
    return replace(change, stops_first=names, cause=f"{change.cause}; {stops}")


def _shared(container: AppContainer, old: ObservedContainer) -> str:
    if "host" in networks(dict(container.options)) and "host" in old.options.get("NetworkMode", ()):
        return "use the host's network"
    ports = () if has_routers(dict(container.labels)) else held_ports(container, old)
    return f"publish port {', '.join(ports)}" if ports else ""


def held_ports(container: AppContainer, old: ObservedContainer) -> tuple[str, ...]:
    """Ports of the host that a new container would publish, and that another one holds."""
    held = {binding.rpartition(":")[2] for bindings in old.ports.values() for binding in bindings}
    return tuple(sorted(published_ports(container.options) & held))


def port_conflicts(desired: DesiredHost, boots: tuple[BootContainer, ...], observed: ObservedHost) -> Iterator[str]:
    """A port that the old container holds: the new one could not boot beside it, today or ever."""
    for container in (each.container for each in boots if not (isinstance(each, AwaitContainer) or each.stops_first)):
        for old in desired.owner.running(observed.containers):
            for port in held_ports(container, old):
                yield (
                    f"{desired.host}: role {container.role} publishes port {port} of the host, which {old.name} holds: "
                    "the new container cannot boot beside it. Take `publish` out of the role's options (the proxy "
                    "routes to the port inside), or run `kp app stop` before each deploy"
                )
