"""About which containers the proxy is asked, and where it listens then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.plan.changes.containers import AwaitContainer, BootContainer, RestartContainer, StartProxy
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.proxy.gate import Gate, gate_of, has_routers, seen_gate, without_gate
from kamal_pyinfra.plan.proxy.router_names import Element, definitions, is_hidden
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def proxy_command(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    """The arguments of the proxy that runs while new containers boot."""
    proxy, running = desired.proxy, observed.container(PROXY_CONTAINER)
    if proxy is not None and any(type(change) is not StartProxy for change in diff_proxy(desired, observed)):
        return proxy_arguments(proxy)
    return running.command if running is not None else ()


def boot_gates(changes: Iterable[BootContainer], desired: DesiredHost, observed: ObservedHost) -> tuple[Gate, ...]:
    """What to ask about containers that boot; those that no router leads to are left out."""
    command = proxy_command(desired, observed)
    found = (_boot_gate(change, observed, command) for change in changes)
    return tuple(gate for gate in found if gate.rules)


def _boot_gate(change: BootContainer, observed: ObservedHost, command: Sequence[str]) -> Gate:
    there, labels = observed.container(change.container.name), dict(change.container.labels)
    if there is not None and isinstance(change, RestartContainer | AwaitContainer):
        gate, labels = seen_gate(there.name, there.labels, command), dict(there.labels)
    else:
        gate = gate_of(change.container, command)
    return replace(gate, is_in_use=_is_in_use(change, labels, observed))


def _is_in_use(change: BootContainer, labels: Mapping[str, str], observed: ObservedHost) -> bool:
    """Whether a container that runs defines the same routers and middlewares: the proxy may have taken these before."""
    name = change.container.name
    itself = name if isinstance(change, AwaitContainer) else ""  # one that is replaced serves under the same name
    wanted = _defined(labels, name)
    others = [each for each in observed.containers if each.is_running and each.name != itself]
    return any(wanted.items() <= _defined(each.labels, each.name).items() for each in others)


def _defined(labels: Mapping[str, str], name: str) -> dict[Element, dict[str, str]]:
    return {
        element: fields
        for element, fields in definitions(without_gate(labels), name).items()
        if element.kind != "services"
    }


def running_gates(containers: Iterable[ObservedContainer], command: Sequence[str]) -> tuple[Gate, ...]:
    """What to ask about containers as they are, whosever they are."""
    shown = (each for each in containers if each.name != PROXY_CONTAINER and not is_hidden(each.labels))
    return tuple(seen_gate(each.name, each.labels, command) for each in shown if has_routers(each.labels))


def started_gates(names: Collection[str], observed: ObservedHost) -> tuple[Gate, ...]:
    """What to ask about containers that start again beside the proxy that is there."""
    proxy = observed.container(PROXY_CONTAINER)
    containers = [each for each in observed.containers if each.name in names]
    return running_gates(containers, proxy.command if proxy is not None else ())
