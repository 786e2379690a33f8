"""Whether the proxy changes, which other services share it, and about which containers it is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from kamal_pyinfra.naming import OWNER_LABEL, PROXY_CONTAINER
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.compare.container import container_differences, is_by_hand
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.proxy.gate import Gate, gate_of, has_routers, observed_gate, without_gate
from kamal_pyinfra.plan.proxy.router_names import Element, definitions, is_hidden
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.state.desired import Proxy
from kamal_pyinfra.plan.state.observed import PROJECT_LABELS, ObservedContainer, ObservedHost

KAMALS_LABEL = "traefik.http.routers.catchall.rule"
KAMALS_ARGUMENT = "--providers.docker"
"""What every proxy has that Kamal 1.9 started, whatever ``traefik:`` says."""
INTERRUPTS = "interrupts traffic; `kp traefik reboot --rolling` goes host by host"


def foreign_proxy(observed: ObservedHost) -> str:
    """What a container ``traefik`` is that neither kp nor Kamal started, whatever labels its image has; else empty."""
    proxy = observed.container(PROXY_CONTAINER)
    if proxy is None:
        return ""
    given = observed.given_labels(proxy)
    is_kamals = KAMALS_LABEL in given and KAMALS_ARGUMENT in proxy.command
    if not proxy.is_orchestrated and (OWNER_LABEL in given or is_kamals):
        return ""
    project = next((given[name] for name in PROJECT_LABELS if name in given), "")
    return f"image {proxy.image}{f', project {project}' if project else ''}"


def refused_proxy(observed: ObservedHost) -> tuple[str, ...]:
    """Why nothing may be done to the container ``traefik``; nothing if it is ours, or not there."""
    if not (what := foreign_proxy(observed)):
        return ()
    return (
        f"{observed.host}: the container {PROXY_CONTAINER} ({what}) was started by neither kp nor Kamal, and is "
        f"left alone; rename it (`docker rename {PROXY_CONTAINER} NAME`) and give ours ports that are free "
        "(`traefik: host_port`), or set `traefik: false` for the roles on this host",
    )


def diff_proxy(compared: Comparison) -> tuple[kinds.RunProxy, ...]:
    """The proxy must run as ``traefik:`` says."""
    proxy, observed = compared.desired.proxy, compared.observed
    if proxy is None or foreign_proxy(observed):  # of a foreign one the plan is refused
        return ()
    running = observed.container(proxy.name)
    if running is None:
        was_there = observed.record is not None and observed.record.proxy == proxy.digest
        return (kinds.RunProxy(proxy=proxy, cause="was removed" if was_there else "not found", is_drift=was_there),)
    if differences := container_differences(proxy, running, observed):
        cause, is_drift = f"{as_cause(differences)}; {INTERRUPTS}", is_by_hand(proxy, running, differences)
        change = kinds.RunProxy(proxy=proxy, cause=cause, differences=differences, is_drift=is_drift)
        return (replace(change, special_action=kinds.Action.REPLACE),)
    start = kinds.RunProxy(proxy=proxy, cause=f"is {running.status}", is_drift=True)
    return () if running.is_running else (replace(start, special_action=kinds.Action.UPDATE),)


def replaced_proxy(compared: Comparison) -> Proxy | None:
    """The new proxy, where it takes the place of another one."""
    return next((each.proxy for each in diff_proxy(compared) if each.action is kinds.Action.REPLACE), None)


def proxy_conflicts(compared: Comparison) -> list[str]:
    """Why the proxy that is there must not be changed as ``traefik:`` asks for: somebody else's, or others use it."""
    desired, observed = compared.desired, compared.observed
    if desired.proxy is None:
        return []
    owner, running = desired.proxy.owner, observed.container(PROXY_CONTAINER)
    is_of_another = running is not None and running.labels.get(OWNER_LABEL) != owner
    services = {each.service_name for each in observed.running if each.role and is_of_another} - {owner}
    others = ", ".join(sorted(services))
    return [
        *refused_proxy(observed),
        *(
            f"{desired.host}: `traefik:` contradicts the running proxy of {others} ({change.cause})"
            for change in diff_proxy(compared)
            if change.action is kinds.Action.REPLACE and others
        ),
    ]


def boot_gates(changes: Iterable[kinds.BootContainer], compared: Comparison) -> tuple[Gate, ...]:
    """What to ask about containers that boot; those that no router leads to are left out."""
    proxy, running = compared.desired.proxy, compared.observed.container(PROXY_CONTAINER)
    command = running.command if running is not None else ()
    if proxy is not None and any(change.action is not kinds.Action.UPDATE for change in diff_proxy(compared)):
        command = proxy_arguments(proxy)
    gates = (_boot_gate(change, compared.observed, command) for change in changes)
    return tuple(gate for gate in gates if gate.rules)


def _boot_gate(change: kinds.BootContainer, observed: ObservedHost, command: Sequence[str]) -> Gate:
    name, labels = change.container.name, dict(change.container.labels)
    existing = observed.container(name)
    if existing is not None and isinstance(change, kinds.RestartContainer | kinds.AwaitContainer):
        gate, labels = observed_gate(existing.name, existing.labels, command), dict(existing.labels)
    else:
        gate = gate_of(change.container, command)
    # One that runs and defines the same routers and middlewares: the proxy may have taken these before.
    itself = name if isinstance(change, kinds.AwaitContainer) else ""  # one that is replaced serves under the same name
    wanted, others = _defined(labels, name), [each for each in observed.running if each.name != itself]
    is_in_use = any(wanted.items() <= _defined(each.labels, each.name).items() for each in others)
    return replace(gate, is_in_use=is_in_use)


def _defined(labels: Mapping[str, str], name: str) -> dict[Element, dict[str, str]]:
    defined = definitions(without_gate(labels), name)
    return {element: fields for element, fields in defined.items() if element.kind != "services"}


def running_gates(containers: Iterable[ObservedContainer], command: Sequence[str]) -> tuple[Gate, ...]:
    """What to ask about containers as they are, whosever they are."""
    shown = (each for each in containers if each.name != PROXY_CONTAINER and not is_hidden(each.labels))
    return tuple(observed_gate(each.name, each.labels, command) for each in shown if has_routers(each.labels))


def started_gates(names: Collection[str], observed: ObservedHost) -> tuple[Gate, ...]:
    """What to ask about containers that start again beside the proxy that is there."""
    proxy = observed.container(PROXY_CONTAINER)
    containers = [each for each in observed.containers if each.name in names]
    return running_gates(containers, proxy.command if proxy is not None else ())
