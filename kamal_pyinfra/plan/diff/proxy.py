"""Whether the proxy changes, which other services share it, and about which containers it is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.plan.changes import (
    AwaitContainer,
    BootContainer,
    Change,
    ReplaceProxy,
    RestartContainer,
    RunProxy,
    StartProxy,
)
from kamal_pyinfra.plan.compare.container import container_differences, is_by_hand
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.proxy.gate import Gate, gate_of, has_routers, seen_gate, without_gate
from kamal_pyinfra.plan.proxy.router_names import Element, definitions, is_hidden
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.state.desired import DesiredHost, Proxy
from kamal_pyinfra.plan.state.observed import PROJECT_LABELS, ObservedContainer, ObservedHost

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


def other_services(own_name: str, observed: ObservedHost) -> str:
    """Other services that run on the host, unless the running proxy was started for ours."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None or proxy.labels.get(naming.OWNER_LABEL) == own_name:
        return ""
    others = {each.service_name for each in observed.containers if each.role and each.is_running}
    return ", ".join(sorted(others - {own_name}))


INTERRUPTS = "interrupts traffic; `kp traefik reboot --rolling` goes host by host"


def diff_proxy(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The proxy must run as ``traefik:`` says."""
    proxy = desired.proxy
    if proxy is None:
        return ()
    if foreign_proxy(observed):
        return ()  # the plan is refused
    running = observed.container(proxy.name)
    was_here = observed.record is not None and observed.record.proxy == proxy.digest
    if running is None:
        return (RunProxy(proxy=proxy, cause="was removed" if was_here else "not found", is_drift=was_here),)
    if differences := container_differences(proxy, running, observed):
        is_drift = is_by_hand(proxy, running, differences)
        cause = f"{as_cause(differences)}; {INTERRUPTS}"
        return (ReplaceProxy(proxy=proxy, cause=cause, differences=differences, is_drift=is_drift),)
    if not running.is_running:
        return (StartProxy(proxy=proxy, cause=f"is {running.status}", is_drift=True),)
    return ()


def replaced_proxy(desired: DesiredHost, observed: ObservedHost) -> Proxy | None:
    """The new proxy, where it takes the place of another one."""
    return next((each.proxy for each in diff_proxy(desired, observed) if isinstance(each, ReplaceProxy)), None)


def proxy_conflicts(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """Why the proxy that is there must not be changed as ``traefik:`` asks for: somebody else's, or others use it."""
    if desired.proxy is None:
        return []
    return [
        *refused_proxy(observed),
        *(
            f"{desired.host}: `traefik:` contradicts the running proxy of {owner} ({change.cause})"
            for change in diff_proxy(desired, observed)
            if isinstance(change, ReplaceProxy) and (owner := other_services(change.proxy.owner, observed))
        ),
    ]


def proxy_image_to_pull(desired: DesiredHost, observed: ObservedHost) -> str | None:
    """The proxy's image if ``docker run`` will have to fetch it."""
    wants_image = any(isinstance(change, RunProxy) for change in diff_proxy(desired, observed))
    if desired.proxy is None or not wants_image or observed.has_image(desired.proxy.image):
        return None
    return desired.proxy.image


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
