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
    Change,
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
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.diff.addresses import stopping_first
from kamal_pyinfra.plan.proxy.router_names import names_beside, names_of, names_taken, new_reach, with_names
from kamal_pyinfra.plan.state.desired import AppContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Status

SHOWN_FILES = 5
UNLISTED_FILES = (
    "whether files of its image were changed is not known: there are more than 10,000, or the host did not list them "
    "in time"
)


def diff_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[BootContainer, ...]:
    """One change for each wanted container that is not serving as configured; primary role first.

    None of them takes a name in the proxy from what serves (:mod:`kamal_pyinfra.plan.proxy.router_names`).
    """
    found = (diff_container(desired, container, observed) for container in desired.containers)
    changes = [_startable(desired, change, observed) for change in found if change is not None]
    named = (_named(desired, change, changes, observed) for change in changes)
    return tuple(stopping_first(desired, change, observed) for change in named)


def _startable(desired: DesiredHost, change: BootContainer, observed: ObservedHost) -> BootContainer:
    """A retained container keeps its labels, so it cannot start beside one that defines a name of its otherwise."""
    existing = observed.container(change.container.name)
    if existing is None or not isinstance(change, RestartContainer):
        return change
    taken = names_taken(existing, observed.running)
    return _instead(desired, change, observed, f"is stopped, {taken[0]} changed since") if taken else change


def _instead(desired: DesiredHost, change: BootContainer, observed: ObservedHost, cause: str) -> ReplaceContainer:
    return ReplaceContainer(
        container=change.container,
        role=change.role,
        cause=cause,
        is_drift=change.is_drift,
        replaces=_predecessors(desired, change.container, observed),
    )


def _named(
    desired: DesiredHost, change: BootContainer, changes: Sequence[BootContainer], observed: ObservedHost
) -> BootContainer:
    """What is started gets the names of the replicas that stay: the proxy spreads requests over one name's servers."""
    starting = {each.subject for each in changes if not isinstance(each, AwaitContainer | RestartContainer)}
    replicas = {each.name for each in desired.containers if each.role == change.role} - starting
    staying = sorted((each for each in observed.containers if each.name in replicas), key=lambda each: each.status)
    names = next((names_of(each.labels) for each in reversed(staying)), None)
    match change:
        case AwaitContainer():
            return change
        case RestartContainer():
            existing = observed.container(change.subject)
            if existing is None or names is None or names_of(existing.labels) == names:
                return change
            change = _instead(desired, change, observed, "is stopped, and was routed under another name")
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


def diff_container(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> BootContainer | None:
    """What has to happen so that this one container serves."""
    existing = observed.container(container.name)
    if existing is None:
        return _new_container(desired, container, observed)
    if differences := container_differences(container, existing, observed):
        return ReplaceContainer(
            container=container,
            role=container.role,
            cause=as_cause(differences),
            differences=differences,
            is_drift=is_by_hand(container, existing, differences),
            replaces=_predecessors(desired, container, observed),
        )
    if desired.run.replaces_edited and existing.edited:
        return ReplaceContainer(
            container=container,
            role=container.role,
            cause=edited_files(existing),
            is_drift=True,
            replaces=_predecessors(desired, container, observed),
        )
    return _same_container(desired, container, existing, observed)


def _new_container(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> BootContainer:
    predecessors = _replaced(desired, container, observed)
    is_drift = was_started(container, observed)
    differences = config_differences(container, predecessors[0], observed) if predecessors else ()
    return BootContainer(
        container=container,
        role=container.role,
        cause=_boot_cause(container, predecessors, _scaling(desired, container, observed), is_drift=is_drift),
        differences=differences,
        is_drift=is_drift,
        replaces=tuple(old.name for old in predecessors),
    )


def _same_container(
    desired: DesiredHost, container: AppContainer, existing: ObservedContainer, observed: ObservedHost
) -> BootContainer | None:
    """The wanted container is there; does it serve?"""
    cord = cord_of(desired, existing, observed)
    is_drift = was_in_service(desired, observed)
    others = tuple(name for name in _predecessors(desired, container, observed) if name != container.name)
    if existing.status == Status.EXITED:
        return RestartContainer(
            container=container, role=container.role, cause="is stopped", cord=cord, is_drift=is_drift, replaces=others
        )
    if existing.status != Status.RUNNING:
        cause, is_drift = f"is {existing.status}", is_drift and existing.status == Status.PAUSED
    elif container.health is None or existing.health == "healthy":
        return None
    elif container.cord and cord not in tied_cords(observed):
        cause = "its cord was cut"
    else:
        return AwaitContainer(container=container, role=container.role, cause=f"is {existing.health}")
    replaces = _predecessors(desired, container, observed)
    return ReplaceContainer(container=container, role=container.role, cause=cause, is_drift=is_drift, replaces=replaces)


def _running(desired: DesiredHost, role: str, observed: ObservedHost) -> tuple[ObservedContainer, ...]:
    return tuple(old for old in desired.owner.running(observed.containers) if old.role == role)


def _replaced(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> tuple[ObservedContainer, ...]:
    """What runs of the role and is not itself wanted beside this container: all of it goes for the first replica."""
    beside = {other.name for other in desired.containers} - {container.name}
    found = [old for old in _running(desired, container.role, observed) if old.name not in beside]
    if container.replica == 1:
        return tuple(found)
    same = [old for old in found if old.name == container.name]
    return tuple(same or found[container.replica - 1 : container.replica] or found[:1])


def _predecessors(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> tuple[str, ...]:
    return tuple(old.name for old in _replaced(desired, container, observed))


def _boot_cause(
    container: AppContainer, predecessors: tuple[ObservedContainer, ...], scaling: str, *, is_drift: bool
) -> str:
    if not predecessors:
        return "was removed" if is_drift else scaling or "not found"
    if predecessors[0].version == container.version:
        return "its predecessor stepped aside"
    return f"version {predecessors[0].version} → {container.version}"


def _scaling(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> str:
    """How many containers of the version there are and will be, if that changes and some are there."""
    here = [old for old in _running(desired, container.role, observed) if REPLACED_MARK not in old.name]
    now = sum(old.version == container.version for old in here)
    wanted = sum(other.role == container.role for other in desired.containers)
    return f"replicas {now} → {wanted}" if now not in (0, wanted) else ""


def diff_old_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[StopContainer, ...]:
    """Every running app container of ours that is not wanted; the new ones are healthy before these stop."""
    stopping = stopping_containers(desired, observed)
    wanted = {container.name for container in desired.containers}
    booting = booting_containers(desired, observed)
    return tuple(
        StopContainer(
            name=naming.replaced_name(old.name, desired.run.replaced_suffix) if old.name in wanted else old.name,
            role=old.role,
            cause=_stop_cause(desired, old, observed),
            cord=cord_of(desired, old, observed),
            drain_timeout=drain_seconds(desired.run.config) + notice_seconds(old.health_interval),
            stop_timeout=stop_seconds(desired.run.config),
            part_of=booting.get(old.role, ""),
        )
        for old in desired.owner.running(observed.containers)
        if old.name in stopping
    )


def booting_containers(desired: DesiredHost, observed: ObservedHost) -> dict[str, str]:
    """Role → the container that gets started for it; the first of several."""
    found: dict[str, str] = {}
    for change in diff_containers(desired, observed):
        found.setdefault(change.role, change.container.name)
    return found


def stopping_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    """Names, as they are now, of our running containers that will not run when the deploy is over."""
    replaced = {
        change.container.name for change in diff_containers(desired, observed) if isinstance(change, ReplaceContainer)
    }
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
    if old.role in desired.known_roles:
        return f"stops, role {old.role} is not on this host any more"
    return f"stops, role {old.role} is not in the config"


def cord_of(desired: DesiredHost, container: ObservedContainer, observed: ObservedHost) -> str | None:
    """The host folder that a container mounts as its cord; absolute, as Docker shows it.

    It is told by where it lies, since ``cord`` may have changed, or by ``cord``, since Kamal removes what it cuts.
    """
    wanted = {container.cord_target for container in desired.containers} | {desired.run.config.healthcheck.cord}
    targets = {normpath(target) for target in wanted if target}
    cords = {observed.absolute(path) for path in observed.cords}
    mounts = container.mounts.items()
    return next((source for target, source in mounts if target in targets or source in cords), None)


def tied_cords(observed: ObservedHost) -> set[str]:
    """The absolute paths of the cord directories that hold a cord."""
    return {observed.absolute(path) for path, is_tied in observed.cords.items() if is_tied}


def diff_assets(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
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
                old.name
                for old in desired.owner.running(observed.containers)
                if old.role == container.role and old.name not in wanted
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


CAUSE = "release command runs once before boot"


def diff_release(desired: DesiredHost, observed: ObservedHost) -> tuple[RunRelease, ...]:
    """One change on the release command's host if its role boots there; none anywhere else."""
    release = desired.release
    if release is None:
        return ()
    role = release.container.role
    boots = (change for change in diff_containers(desired, observed) if change.role == role)
    if all(isinstance(change, AwaitContainer) for change in boots):
        return ()
    return (RunRelease(release=release, role=role, cause=CAUSE),)
