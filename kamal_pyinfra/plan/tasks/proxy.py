"""``kp traefik``: what each of its commands changes on a host."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    Change,
    RebootProxy,
    RemoveProxy,
    RemoveProxyEnvFile,
    RemoveProxyImage,
    SwitchProxy,
)
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.host import diff_directories, diff_env_files, diff_login
from kamal_pyinfra.plan.diff.proxy import diff_proxy, foreign_proxy, proxy_conflicts, refused_proxy
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def boot(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy runs as ``traefik:`` says."""
    desired = desired_host(run, observed.host)
    return TaskDecision(
        changes=(*_prepared(desired, observed), *diff_proxy(desired, observed)),
        refusals=_refusals(desired, observed),
    )


def reboot(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy is replaced by one as ``traefik:`` says, whether it differs or not."""
    desired = desired_host(run, observed.host)
    return TaskDecision(
        changes=(*_prepared(desired, observed), *diff_rebooted_proxy(desired, observed)),
        notes=_interrupted(run, observed),
        refusals=_refusals(desired, observed),
    )


def diff_rebooted_proxy(desired: DesiredHost, observed: ObservedHost) -> tuple[RebootProxy, ...]:
    """A new proxy in any case."""
    if desired.proxy is None or foreign_proxy(observed):
        return ()
    is_there = observed.container(desired.proxy.name) is not None
    cause = "asked for; interrupts traffic" if is_there else "not found"
    return (RebootProxy(proxy=desired.proxy, cause=cause, is_there=is_there),)


def start(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy that is there runs."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None:
        return _missing(observed)
    if refusals := refused_proxy(observed):
        return TaskDecision(refusals=refusals)
    return TaskDecision(changes=() if proxy.is_running else (_switch(f"is {proxy.status}", stops=False),))


def stop(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy that is there does not run."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None or not proxy.is_running:
        return TaskDecision(refusals=docker_errors(observed))
    if refusals := refused_proxy(observed):
        return TaskDecision(refusals=refusals)
    return TaskDecision(changes=(_switch("stops; nothing is served", starts=False),), notes=_interrupted(run, observed))


def restart(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy that is there has been stopped and started."""
    if observed.container(naming.PROXY_CONTAINER) is None:
        return _missing(observed)
    if refusals := refused_proxy(observed):
        return TaskDecision(refusals=refusals)
    return TaskDecision(changes=(_switch("restarts; interrupts traffic"),), notes=_interrupted(run, observed))


def remove(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy, its image and its secrets are gone, unless another service uses it."""
    if refusals := refused_proxy(observed):
        return TaskDecision(refusals=refusals)
    users = services_behind_proxy(each for each in observed.containers if not _is_ours(run, each))
    if users and observed.container(naming.PROXY_CONTAINER) is not None:
        return TaskDecision(refusals=(f"{observed.host}: the proxy stays, {', '.join(users)} uses it",))
    changes = diff_removed_proxy(run, observed, cause="asked for")
    return TaskDecision(changes=changes, refusals=docker_errors(observed))


def diff_removed_proxy(run: Run, observed: ObservedHost, *, cause: str) -> tuple[Change, ...]:
    """Container, image and env file of the proxy, as far as they are there."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    images = {proxy.image} if proxy else set()
    if observed.has_image(run.config.traefik.image):
        images.add(run.config.traefik.image)
    images -= {each.image for each in observed.containers if each is not proxy}
    env_file = naming.proxy_env_file(run.config)
    return (
        *((RemoveProxy(name=proxy.name, cause=cause),) if proxy else ()),
        *(RemoveProxyImage(image=image, cause="no container uses it") for image in sorted(images)),
        *((RemoveProxyEnvFile(path=env_file, cause=cause),) if env_file in observed.files else ()),
    )


def _interrupted(run: Run, observed: ObservedHost) -> tuple[str, ...]:
    """A note of the other services whose requests do not arrive meanwhile."""
    users = services_behind_proxy(each for each in observed.running if not _is_ours(run, each))
    return (f"also interrupts {', '.join(users)}",) if users else ()


def _is_ours(run: Run, container: ObservedContainer) -> bool:
    return (container.service, container.destination) == (run.config.service, run.config.destination or "")


def _prepared(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    steps = (diff_directories, diff_env_files, diff_login)
    return tuple(change for diff in steps for change in diff(desired, observed))


def _refusals(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    if not observed.docker.installed:
        return (f"{observed.host}: docker is not installed; run `kp setup` first",)
    return (*docker_errors(observed), *proxy_conflicts(desired, observed))


def _missing(observed: ObservedHost) -> TaskDecision:
    refusals = docker_errors(observed) or (f"{observed.host}: there is no proxy; run `kp traefik boot`",)
    return TaskDecision(refusals=refusals)


def _switch(cause: str, *, stops: bool = True, starts: bool = True) -> SwitchProxy:
    return SwitchProxy(name=naming.PROXY_CONTAINER, cause=cause, stops=stops, starts=starts)
