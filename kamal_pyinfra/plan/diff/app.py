"""Which app containers boot, restart, drain and stop; assets; release command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from posixpath import normpath

from kamal_pyinfra import naming
from kamal_pyinfra.config.model import drain_seconds, notice_seconds, stop_seconds
from kamal_pyinfra.naming import REPLACED_MARK
from kamal_pyinfra.plan.changes import (
    AwaitContainer,
    BootContainer,
    ReplaceContainer,
    RestartContainer,
    RunRelease,
    StopContainer,
    SyncAssets,
)
from kamal_pyinfra.plan.compare.container import (
    config_differences,
    container_differences,
    is_by_hand,
    was_in_service,
    was_started,
)
from kamal_pyinfra.plan.compare.fields import Difference, as_cause
from kamal_pyinfra.plan.diff.addresses import stopping_first
from kamal_pyinfra.plan.proxy.gate import new_reach
from kamal_pyinfra.plan.proxy.router_names import names_beside, names_of, names_taken, with_names
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Status

SHOWN_FILES = 5
UNLISTED_FILES = (
    "whether files of its image were changed is not known: there are more than 10,000, or the host did not list them "
    "in time"
)


def diff_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[BootContainer, ...]:
    """One change for each desired container that is not serving as configured; primary role first.

    None of them takes a name in the proxy from what serves (:mod:`kamal_pyinfra.plan.proxy.router_names`).
    """
    changes: list[BootContainer] = []
    for container in desired.containers:
        existing = observed.container(container.name)
        if existing is None:
            changes.append(_boot(desired, container, observed))
        elif change := _bring_into_service(desired, container, existing, observed):
            changes.append(change)
    named = (_named(desired, change, changes, observed) for change in changes)
    return tuple(stopping_first(desired, change, observed) for change in named)


def _boot(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> BootContainer:
    predecessors = _replaced(desired, container, observed)
    is_drift = was_started(container, observed)
    if not predecessors:
        cause = "was removed" if is_drift else _scaling(desired, container, observed) or "not found"
    elif predecessors[0].version == container.version:
        cause = "its predecessor stepped aside"
    else:
        cause = f"version {predecessors[0].version} → {container.version}"
    return BootContainer(
        container=container,
        role=container.role,
        cause=cause,
        differences=config_differences(container, predecessors[0], observed) if predecessors else (),
        is_drift=is_drift,
        replaces=tuple(old.name for old in predecessors),
    )


def _bring_into_service(
    desired: DesiredHost, container: AppContainer, existing: ObservedContainer, observed: ObservedHost
) -> BootContainer | None:
    """What has to happen to a container that is there, so that it serves as configured."""
    if differences := container_differences(container, existing, observed):
        is_drift = is_by_hand(container, existing, differences)
        return _replace(desired, container, observed, as_cause(differences), is_drift=is_drift, differences=differences)
    if desired.run.replaces_edited and existing.edited:
        return _replace(desired, container, observed, edited_files(existing), is_drift=True)
    is_drift = was_in_service(desired, observed)
    if existing.status == Status.EXITED:
        return _restart(desired, container, existing, observed, is_drift=is_drift)
    if existing.status != Status.RUNNING:
        is_drift = is_drift and existing.status == Status.PAUSED
        return _replace(desired, container, observed, f"is {existing.status}", is_drift=is_drift)
    if container.health is None or existing.health == "healthy":
        return None
    tied = {observed.absolute(path) for path, is_tied in observed.cords.items() if is_tied}
    if container.cord and cord_of(desired.run, existing, observed) not in tied:
        return _replace(desired, container, observed, "its cord was cut", is_drift=is_drift)
    return AwaitContainer(container=container, role=container.role, cause=f"is {existing.health}")


def _restart(
    desired: DesiredHost,
    container: AppContainer,
    existing: ObservedContainer,
    observed: ObservedHost,
    *,
    is_drift: bool,
) -> BootContainer:
    """A retained container keeps its labels, so it cannot start beside one that defines a name of its otherwise."""
    if taken := names_taken(existing, observed.running):
        return _replace(desired, container, observed, f"is stopped, {taken[0]} changed since", is_drift=is_drift)
    return RestartContainer(
        container=container,
        role=container.role,
        cause="is stopped",
        cord=cord_of(desired.run, existing, observed),
        is_drift=is_drift,
        replaces=tuple(old.name for old in _replaced(desired, container, observed) if old.name != container.name),
    )


def _replace(
    desired: DesiredHost,
    container: AppContainer,
    observed: ObservedHost,
    cause: str,
    *,
    is_drift: bool,
    differences: tuple[Difference, ...] = (),
) -> ReplaceContainer:
    return ReplaceContainer(
        container=container,
        role=container.role,
        cause=cause,
        differences=differences,
        is_drift=is_drift,
        replaces=tuple(old.name for old in _replaced(desired, container, observed)),
    )


def _named(
    desired: DesiredHost, change: BootContainer, changes: Sequence[BootContainer], observed: ObservedHost
) -> BootContainer:
    """What is started gets the names of the replicas that stay: the proxy spreads requests over one name's servers."""
    if isinstance(change, AwaitContainer):
        return change
    starting = {each.subject for each in changes if not isinstance(each, AwaitContainer | RestartContainer)}
    replicas = {each.name for each in desired.containers if each.role == change.role} - starting
    staying = sorted((each for each in observed.containers if each.name in replicas), key=lambda each: each.status)
    names = next((names_of(each.labels) for each in reversed(staying)), None)
    if isinstance(change, RestartContainer):
        existing = observed.container(change.subject)
        if existing is None or names is None or names_of(existing.labels) == names:
            return change
        cause = "is stopped, and was routed under another name"
        change = _replace(desired, change.container, observed, cause, is_drift=change.is_drift)
    if names is None:
        names = names_beside(change.container, observed.running)
    cause = f"{change.cause}; interrupts traffic: {', '.join(names.broken)} differs" if names.broken else change.cause
    reach = new_reach(change.container, observed.running)
    if reach.untried:
        cause += f"; loses requests if the proxy cannot reach it: {reach.untried} differs"
    return replace(change, container=with_names(change.container, names), cause=cause, awaited_port=reach.port)


def edited_files(container: ObservedContainer) -> str:
    """Which files of its image were changed since it was put into service; the first few by name."""
    more = f" and {len(container.edited) - SHOWN_FILES} more" if len(container.edited) > SHOWN_FILES else ""
    return f"files of its image changed: {', '.join(container.edited[:SHOWN_FILES])}{more}"


def _running(desired: DesiredHost, role: str, observed: ObservedHost) -> list[ObservedContainer]:
    return [old for old in desired.owner.running(observed.containers) if old.role == role]


def _replaced(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> list[ObservedContainer]:
    """What runs of the role and is not itself desired beside this container: all of it goes for the first replica."""
    beside = {other.name for other in desired.containers} - {container.name}
    found = [old for old in _running(desired, container.role, observed) if old.name not in beside]
    if container.replica == 1:
        return found
    same = [old for old in found if old.name == container.name]
    return same or found[container.replica - 1 : container.replica] or found[:1]


def _scaling(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> str:
    """How many containers of the version there are and will be, if that changes and some are there."""
    current = [old for old in _running(desired, container.role, observed) if REPLACED_MARK not in old.name]
    now = sum(old.version == container.version for old in current)
    wanted = sum(other.role == container.role for other in desired.containers)
    return f"replicas {now} → {wanted}" if now not in (0, wanted) else ""


def diff_old_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[StopContainer, ...]:
    """Every running app container of ours that is not desired; the new ones are healthy before these stop."""
    stopping = stopping_containers(desired, observed)
    wanted = {container.name for container in desired.containers}
    booting = booting_containers(desired, observed)
    suffix = desired.run.replaced_suffix
    return tuple(
        stop_of(
            desired.run,
            old,
            observed,
            _stop_cause(desired, old, observed),
            name=naming.replaced_name(old.name, suffix) if old.name in wanted else old.name,
            part_of=booting.get(old.role, ""),
        )
        for old in desired.owner.running(observed.containers)
        if old.name in stopping
    )


def stop_of(
    run: Run, container: ObservedContainer, observed: ObservedHost, cause: str, *, name: str = "", part_of: str = ""
) -> StopContainer:
    """A running container is drained and stopped, under the name that it has by then."""
    return StopContainer(
        name=name or container.name,
        role=container.role,
        cause=cause,
        cord=cord_of(run, container, observed),
        drain_timeout=drain_seconds(run.config) + notice_seconds(container.health_interval),
        stop_timeout=stop_seconds(run.config),
        part_of=part_of,
    )


def booting_containers(desired: DesiredHost, observed: ObservedHost) -> dict[str, str]:
    """Role → the container that gets started for it; the first of several."""
    found: dict[str, str] = {}
    for change in diff_containers(desired, observed):
        found.setdefault(change.role, change.container.name)
    return found


def stopping_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    """Names, as they are now, of our running containers that will not run when the deploy is over."""
    changes = diff_containers(desired, observed)
    replaced = {change.container.name for change in changes if isinstance(change, ReplaceContainer)}
    staying = {container.name for container in desired.containers} - replaced
    return tuple(old.name for old in desired.owner.running(observed.containers) if old.name not in staying)


def _stop_cause(desired: DesiredHost, old: ObservedContainer, observed: ObservedHost) -> str:
    for container in desired.containers:
        if container.role == old.role:
            scaling = "" if REPLACED_MARK in old.name else _scaling(desired, container, observed)
            is_surplus = scaling and old.version == container.version
            return f"stops, {scaling}" if is_surplus else f"stops, replaced by {container.name}"
    if desired.is_leaving:
        return f"stops, {desired.host} is not in the config"
    if old.role in desired.run.known_roles:
        return f"stops, role {old.role} is not on this host any more"
    return f"stops, role {old.role} is not in the config"


def cord_of(run: Run, container: ObservedContainer, observed: ObservedHost) -> str | None:
    """The host folder that a container mounts as its cord; absolute, as Docker shows it.

    It is known by where it is mounted, or by where it lies, since ``cord`` may have changed and Kamal removes what it
    cuts.
    """
    configured = (run.config.healthcheck.cord, *(role.healthcheck.cord for role in run.config.roles))
    targets = {normpath(target) for target in configured if target}
    known = {observed.absolute(path) for path in observed.cords}
    mounts = container.mounts.items()
    return next((source for target, source in mounts if target in targets or source in known), None)


def diff_assets(desired: DesiredHost, observed: ObservedHost) -> tuple[SyncAssets, ...]:
    """Assets are synced whenever a container with assets gets started, and when its folder is missing.

    Replicas share the folder of the first.
    """
    starting = {change.container.name for change in diff_containers(desired, observed)}
    wanted = {container.name for container in desired.containers}
    return tuple(
        SyncAssets(
            role=container.role,
            assets=container.assets,
            image=container.image,
            old_containers=tuple(
                old.name for old in _running(desired, container.role, observed) if old.name not in wanted
            ),
            cause="not extracted" if container.assets.volume not in observed.assets else "bridges two versions",
            is_drift=container.name not in starting and was_started(container, observed),
            part_of=container.name if container.name in starting else "",
        )
        for container in desired.containers
        if container.assets
        and container.replica == 1
        and (container.name in starting or container.assets.volume not in observed.assets)
    )


def diff_release(desired: DesiredHost, observed: ObservedHost) -> tuple[RunRelease, ...]:
    """One change on the release command's host if its role boots there; none anywhere else."""
    release = desired.release
    if release is None:
        return ()
    role = release.container.role
    boots = (change for change in diff_containers(desired, observed) if change.role == role)
    if all(isinstance(change, AwaitContainer) for change in boots):
        return ()
    return (RunRelease(release=release, role=role, cause="release command runs once before boot"),)
