"""The proxy: one per host, shared by all services on it."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import Change, ReplaceProxy, RunProxy, StartProxy
from kamal_pyinfra.plan.compare import proxy_differences
from kamal_pyinfra.plan.difference import as_cause
from kamal_pyinfra.plan.drift import is_by_hand
from kamal_pyinfra.plan.neighbours import foreign_proxy, other_owner, refused_proxy
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost

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
    if differences := proxy_differences(proxy, running, observed):
        is_drift = is_by_hand(proxy, running, differences)
        cause = f"{as_cause(differences)}; {INTERRUPTS}"
        return (ReplaceProxy(proxy=proxy, cause=cause, differences=differences, is_drift=is_drift),)
    if not running.is_running:
        return (StartProxy(proxy=proxy, cause=f"is {running.status}", is_drift=True),)
    return ()


def contradictions(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """Why the proxy that is there must not be changed as ``traefik:`` asks for: somebody else's, or others use it."""
    if desired.proxy is None:
        return []
    return [
        *refused_proxy(observed),
        *(
            f"{desired.host}: `traefik:` contradicts the running proxy of {owner} ({change.cause})"
            for change in diff_proxy(desired, observed)
            if isinstance(change, ReplaceProxy) and (owner := other_owner(change.proxy.owner, observed))
        ),
    ]


def proxy_image_to_pull(desired: DesiredHost, observed: ObservedHost) -> str | None:
    """The proxy's image if ``docker run`` will have to fetch it."""
    wants_image = any(isinstance(change, RunProxy) for change in diff_proxy(desired, observed))
    if desired.proxy is None or not wants_image or observed.has_image(desired.proxy.image):
        return None
    return desired.proxy.image
