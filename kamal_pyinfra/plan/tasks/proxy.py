"""``kp traefik``: what each of its commands changes on a host."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from kamal_pyinfra import naming
from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_directories, diff_env_files, diff_login
from kamal_pyinfra.plan.diff.proxy import diff_proxy, foreign_proxy, proxy_conflicts, refused_proxy
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def boot(run: Run, observed: ObservedHost, *, reboots: bool = False) -> TaskDecision:
    """The proxy runs as ``traefik:`` says; to reboot it is to replace it, whether it differs or not."""
    compared = Comparison(desired_host(run, observed.host), observed)
    steps = (diff_directories, diff_env_files, diff_login, diff_rebooted_proxy if reboots else diff_proxy)
    refusals = (*docker_errors(observed), *proxy_conflicts(compared))
    if not observed.docker.installed:
        refusals = (f"{observed.host}: docker is not installed; run `kp setup` first",)
    return TaskDecision(
        changes=tuple(change for diff in steps for change in diff(compared)),
        notes=_interrupted(run, observed) if reboots else (),
        refusals=refusals,
    )


reboot = partial(boot, reboots=True)


def diff_rebooted_proxy(compared: Comparison) -> tuple[changes.RebootProxy, ...]:
    """A new proxy in any case."""
    proxy, observed = compared.desired.proxy, compared.observed
    if proxy is None or foreign_proxy(observed):
        return ()
    if observed.container(proxy.name) is None:
        return (changes.RebootProxy(proxy=proxy, cause="not found"),)
    cause = "asked for; interrupts traffic"
    return (changes.RebootProxy(proxy=proxy, cause=cause, special_action=changes.Action.REPLACE),)


def _switch(
    run: Run, observed: ObservedHost, *, cause: str = "", stops: bool = True, starts: bool = True
) -> TaskDecision:
    """The proxy that is there starts, stops or both."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    if proxy is None and starts:
        missing = f"{observed.host}: there is no proxy; run `kp traefik boot`"
        return TaskDecision(refusals=docker_errors(observed) or (missing,))
    if proxy is None or not (proxy.is_running or starts):
        return TaskDecision(refusals=docker_errors(observed))
    if (refusals := refused_proxy(observed)) or (proxy.is_running and not stops):
        return TaskDecision(refusals=refusals)
    cause = cause or f"is {proxy.status}"
    switch = changes.SwitchProxy(name=naming.PROXY_CONTAINER, cause=cause, stops=stops, starts=starts)
    return TaskDecision(changes=(switch,), notes=_interrupted(run, observed) if stops else ())


start = partial(_switch, stops=False)
stop = partial(_switch, cause="stops; nothing is served", starts=False)
restart = partial(_switch, cause="restarts; interrupts traffic")


def remove(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy, its image and its secrets are gone, unless another service uses it."""
    if refusals := refused_proxy(observed):
        return TaskDecision(refusals=refusals)
    users = _others(run, observed.containers)
    if users and observed.container(naming.PROXY_CONTAINER) is not None:
        return TaskDecision(refusals=(f"{observed.host}: the proxy stays, {', '.join(users)} uses it",))
    removals = diff_removed_proxy(run, observed, cause="asked for")
    return TaskDecision(changes=removals, refusals=docker_errors(observed))


def diff_removed_proxy(run: Run, observed: ObservedHost, *, cause: str) -> tuple[changes.Change, ...]:
    """Container, image and env file of the proxy, as far as they are there."""
    proxy = observed.container(naming.PROXY_CONTAINER)
    images = {proxy.image} if proxy else set()
    if observed.has_image(run.config.traefik.image):
        images.add(run.config.traefik.image)
    images -= {each.image for each in observed.containers if each is not proxy}
    env_file = naming.proxy_env_file(run.config)
    return (
        *((changes.RemoveProxy(name=proxy.name, cause=cause),) if proxy else ()),
        *(changes.RemoveProxyImage(image=image, cause="no container uses it") for image in sorted(images)),
        *((changes.RemoveProxyEnvFile(path=env_file, cause=cause),) if env_file in observed.files else ()),
    )


def _interrupted(run: Run, observed: ObservedHost) -> tuple[str, ...]:
    """A note of the other services whose requests do not arrive meanwhile."""
    users = _others(run, observed.running)
    return (f"also interrupts {', '.join(users)}",) if users else ()


def _others(run: Run, containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    ours = (run.config.service, run.config.destination or "")
    return services_behind_proxy(each for each in containers if (each.service, each.destination) != ours)
