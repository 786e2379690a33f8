"""The proxy: one per host, shared by all services on it."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import Change, ReplaceProxy, RunProxy, StartProxy
from kamal_pyinfra.plan.compare import proxy_differences
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost


def diff_proxy(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The proxy must run as ``traefik:`` says."""
    if desired.proxy is None:
        return ()
    running = observed.container(desired.proxy.name)
    if running is None:
        return (RunProxy(proxy=desired.proxy, cause="not found"),)
    if differences := proxy_differences(desired.proxy, running):
        return (ReplaceProxy(proxy=desired.proxy, cause=f"{', '.join(differences)}; interrupts traffic"),)
    if not running.is_running:
        return (StartProxy(proxy=desired.proxy, cause=f"is {running.status}"),)
    return ()


def proxy_image_to_pull(desired: DesiredHost, observed: ObservedHost) -> str | None:
    """The proxy's image if ``docker run`` will have to fetch it."""
    wants_image = any(isinstance(change, RunProxy) for change in diff_proxy(desired, observed))
    if desired.proxy is None or not wants_image or observed.has_image(desired.proxy.image):
        return None
    return desired.proxy.image
