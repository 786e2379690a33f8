"""Whether the proxy changes, and which other services share it."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.changes.containers import ReplaceProxy, RunProxy, StartProxy
from kamal_pyinfra.plan.compare.container import container_differences, is_by_hand
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.state.desired import DesiredHost, Proxy
from kamal_pyinfra.plan.state.observed import PROJECT_LABELS, ObservedHost

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
