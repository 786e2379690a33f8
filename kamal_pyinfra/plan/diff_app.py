"""App containers: which to boot, which to restart, which to drain and stop."""

from __future__ import annotations

from posixpath import normpath

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    AwaitContainer,
    BootContainer,
    Change,
    ReplaceContainer,
    RestartContainer,
    StopContainer,
    SyncAssets,
)
from kamal_pyinfra.plan.compare import app_differences
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost, Status
from kamal_pyinfra.plan.state import AppContainer, DesiredHost

DRAIN_SECONDS = 30
"""Docker needs three failed probes; a probe may hang, and the interval is the user's."""


def diff_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[BootContainer, ...]:
    """One change for each wanted container that is not serving as configured; primary role first."""
    changes = (diff_container(desired, container, observed) for container in desired.containers)
    return tuple(change for change in changes if change is not None)


def diff_container(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> BootContainer | None:
    """What has to happen so that this one container serves."""
    existing = observed.container(container.name)
    if existing is None:
        return BootContainer(container=container, role=container.role, cause=_boot_cause(desired, container, observed))
    if differences := app_differences(container, existing, observed):
        return ReplaceContainer(container=container, role=container.role, cause=", ".join(differences))
    if existing.status == Status.EXITED:
        return RestartContainer(
            container=container, role=container.role, cause="is stopped", cord=cord_of(desired, existing, observed)
        )
    if existing.status != Status.RUNNING:
        return ReplaceContainer(container=container, role=container.role, cause=f"is {existing.status}")
    if container.health is None or existing.health == "healthy":
        return None
    if container.cord and cord_of(desired, existing, observed) not in tied_cords(observed):
        return ReplaceContainer(container=container, role=container.role, cause="its cord was cut")
    return AwaitContainer(container=container, role=container.role, cause=f"is {existing.health}")


def _boot_cause(desired: DesiredHost, container: AppContainer, observed: ObservedHost) -> str:
    running = [old for old in desired.owner.running(observed.containers) if old.role == container.role]
    if not running:
        return "not found"
    if running[0].version == container.version:
        return "its predecessor stepped aside"
    return f"version {running[0].version} → {container.version}"


def diff_old_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[StopContainer, ...]:
    """Every running app container of ours that is not wanted; the new ones are healthy before these stop."""
    stopping = stopping_containers(desired, observed)
    wanted = {container.name for container in desired.containers}
    return tuple(
        _stop(desired, old, cord_of(desired, old, observed), is_replaced=old.name in wanted)
        for old in desired.owner.running(observed.containers)
        if old.name in stopping
    )


def stopping_containers(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    """Names, as they are now, of our running containers that will not run when the deploy is over."""
    replaced = {
        change.container.name for change in diff_containers(desired, observed) if isinstance(change, ReplaceContainer)
    }
    staying = {container.name for container in desired.containers} - replaced
    return tuple(old.name for old in desired.owner.running(observed.containers) if old.name not in staying)


def _stop(desired: DesiredHost, old: ObservedContainer, cord: str | None, *, is_replaced: bool) -> StopContainer:
    return StopContainer(
        name=naming.replaced_name(old.name, desired.replaced_suffix) if is_replaced else old.name,
        role=old.role,
        cause=_stop_cause(desired, old),
        cord=cord,
        drain_timeout=DRAIN_SECONDS + int(4 * old.health_interval),
        stop_timeout=desired.stop_timeout,
    )


def _stop_cause(desired: DesiredHost, old: ObservedContainer) -> str:
    for container in desired.containers:
        if container.role == old.role:
            return f"stops, replaced by {container.name}"
    if old.role in desired.known_roles:
        return f"stops, role {old.role} is not on this host any more"
    return f"stops, role {old.role} is not in the config"


def cord_of(desired: DesiredHost, container: ObservedContainer, observed: ObservedHost) -> str | None:
    """The host folder that a container mounts as its cord; absolute, as Docker shows it.

    It is told by where it lies, since ``cord`` may have changed, or by ``cord``, since Kamal removes what it cuts.
    """
    wanted = {container.cord_target for container in desired.containers} | {desired.cord_target}
    targets = {normpath(target) for target in wanted if target}
    cords = {observed.absolute(path) for path in observed.cords}
    mounts = container.mounts.items()
    return next((source for target, source in mounts if target in targets or source in cords), None)


def tied_cords(observed: ObservedHost) -> set[str]:
    """The absolute paths of the cord directories that hold a cord."""
    return {observed.absolute(path) for path, is_tied in observed.cords.items() if is_tied}


def diff_assets(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Assets are synced whenever a container with assets gets started, and when its folder is missing."""
    starting = {change.container.name for change in diff_containers(desired, observed)}
    return tuple(
        SyncAssets(
            role=container.role,
            assets=container.assets,
            image=container.image,
            old_containers=tuple(
                old.name
                for old in desired.owner.running(observed.containers)
                if old.role == container.role and old.name != container.name
            ),
            cause="not extracted" if container.assets.volume not in observed.assets else "bridges two versions",
        )
        for container in desired.containers
        if container.assets and (container.name in starting or container.assets.volume not in observed.assets)
    )
