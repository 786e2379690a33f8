"""What nobody needs once the wanted version serves: old containers, tags, cords and asset folders."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    Change,
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
    RemoveProxy,
    ReplaceContainer,
    RestartContainer,
    TagLatest,
)
from kamal_pyinfra.plan.diff_app import (
    booting_containers,
    diff_containers,
    diff_old_containers,
    stopping_containers,
)
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.state import DesiredHost

RUN_ID = r"[0-9a-f]{32}"
REPLACED_MARK = "_replaced_"
NO_TAG = "<none>"
"""What Docker shows for an image whose tag went to another one; it is no reference that could be removed."""


def diff_tag(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """``latest`` (``latest-DESTINATION``) must name the version in service: Kamal finds it by that."""
    if not desired.containers:
        return ()
    ids = {image.reference: image.id for image in observed.images}
    wanted = ids.get(desired.image)
    if wanted is not None and ids.get(desired.latest_image) == wanted:
        return ()
    booting = booting_containers(desired, observed)
    return (
        TagLatest(
            image=desired.image,
            tag=desired.latest_image,
            cause=f"{desired.version} is in service",
            is_drift=not booting and observed.record is not None and observed.record.version == desired.version,
            part_of=next(iter(booting.values()), ""),
        ),
    )


def diff_leftovers(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Everything that may go, in the order in which it can go.

    A run that does not prune leaves retained containers and images alone; replaced containers and folders
    that nothing mounts go in every run.
    """
    containers = tuple(_surplus_containers(desired, observed))
    gone = {change.name for change in containers}
    return (
        *containers,
        *(_unused_images(desired, observed, gone) if desired.retain_containers is not None else ()),
        *_unused_cords(desired, observed),
        *_unused_assets(desired, observed),
        *_unused_env_files(desired, observed),
        *(_of_a_leaving_host(desired, observed) if desired.is_leaving else ()),
    )


def _surplus_containers(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveContainer]:
    """Per role the newest stopped containers are kept; a replaced container serves no rollback."""
    kept: dict[str, int] = {}
    for old in _stopped_in_the_end(desired, observed):
        kept[old.role] = kept.get(old.role, 0) + (REPLACED_MARK not in old.name)
        if REPLACED_MARK in old.name:
            yield RemoveContainer(name=old.name, role=old.role, cause="was replaced")
        elif desired.retain_containers is not None and kept[old.role] > desired.retain_containers:
            yield RemoveContainer(name=old.name, role=old.role, cause=f"only {desired.retain_containers} are retained")
    for change in diff_containers(desired, observed):
        if isinstance(change, ReplaceContainer):
            name = naming.replaced_name(change.container.name, desired.replaced_suffix)
            yield RemoveContainer(name=name, role=change.role, cause="was replaced", part_of=change.container.name)


def _stopped_in_the_end(desired: DesiredHost, observed: ObservedHost) -> list[ObservedContainer]:
    """Our containers that will not run when the deploy is over, newest first."""
    wanted = {container.name for container in desired.containers}
    ours = [old for old in observed.containers if desired.owner.owns(old) and old.name not in wanted]
    return sorted(ours, key=lambda old: (old.created, old.name), reverse=True)


def _unused_images(desired: DesiredHost, observed: ObservedHost, gone: set[str]) -> Iterator[RemoveImage]:
    used = {container.image for container in observed.containers if container.name not in gone}
    kept = used | ({desired.image} if desired.containers else set())
    for image in sorted(observed.images, key=lambda image: image.reference):
        repository, _, tag = image.reference.rpartition(":")
        is_version = tag != NO_TAG and (desired.is_leaving or tag.split("-")[0] != "latest")
        if repository == desired.repository and is_version and image.reference not in kept:
            yield RemoveImage(image=image.reference, cause="no container uses it")


def _unused_cords(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    mounted = _mounted_in_the_end(desired, observed)
    cut = {change.cord: change.part_of for change in diff_old_containers(desired, observed)}
    pattern = re.compile("|".join(f"(?:{re.escape(prefix)})-{RUN_ID}" for prefix in desired.prefixes) or r"(?!)")
    for path in sorted(observed.cords):
        if pattern.fullmatch(path.rpartition("/")[2]) and observed.absolute(path) not in mounted:
            part_of = cut.get(observed.absolute(path), "")
            yield RemoveDirectory(path=path, cause="no container mounts it", part_of=part_of)


def _mounted_in_the_end(desired: DesiredHost, observed: ObservedHost) -> set[str]:
    """Host folders of every container, ours or not, that runs when the deploy is over."""
    stopping = set(stopping_containers(desired, observed))
    starting = {
        change.container.name for change in diff_containers(desired, observed) if isinstance(change, RestartContainer)
    }
    return {
        source
        for container in observed.containers
        if container.name in starting or (container.is_running and container.name not in stopping)
        for source in container.mounts.values()
    }


def _unused_assets(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    mounted = _mounted_in_the_end(desired, observed)
    kept = {container.name for container in desired.containers} | {source.rpartition("/")[2] for source in mounted}
    stopped = {change.name: change.part_of for change in diff_old_containers(desired, observed)}
    for path in sorted(observed.assets):
        name = path.rpartition("/")[2]
        if name not in kept and _belongs(name, desired, observed):
            yield RemoveDirectory(path=path, cause="its version is not in service", part_of=stopped.get(name, ""))


def _unused_env_files(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveEnvFile]:
    """Of roles that ran here once and do not any more; that they were ours, a container or the record tells."""
    if desired.owner.roles:
        return
    wanted = {file.path for file in desired.env_files}
    for role in sorted(_former_roles(desired, observed)):
        path = desired.env_file_of(role)
        if path in observed.env_files and path not in wanted:
            where = "is not on this host any more" if role in desired.known_roles else "is not in the config"
            yield RemoveEnvFile(path=path, role=role, cause=f"role {role} {where}")


def _former_roles(desired: DesiredHost, observed: ObservedHost) -> set[str]:
    current = {container.role for container in desired.containers}
    seen = {container.role for container in observed.containers if desired.owner.owns(container)}
    recorded = observed.record.hosts.get(desired.host, ()) if observed.record else ()
    return seen.union(recorded) - current


def _of_a_leaving_host(desired: DesiredHost, observed: ObservedHost) -> Iterator[Change]:
    """The record, and the proxy unless it serves others; what else is there is not ours."""
    cause = f"{desired.host} is not in the config"
    proxy = observed.container(naming.PROXY_CONTAINER)
    others = (other for other in observed.containers if other.role and not desired.owner.is_service_of(other))
    if proxy is not None and not any(other.is_running for other in others):
        yield RemoveProxy(name=proxy.name, cause=cause)
    if observed.record is not None:
        yield RemoveFile(path=desired.record, cause=cause)


def _belongs(name: str, desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether an asset folder is ours: ``shop-web-eu-v1`` is not role ``web``'s if there is a role ``web-eu``."""
    owner = desired.owner
    others = {
        *((other.service, other.role, other.destination) for other in observed.containers if other.role),
        *((owner.service, role, owner.destination) for role in desired.known_roles),
    }
    prefixes = {"-".join(filter(None, parts)) for parts in others}
    owners = [prefix for prefix in prefixes.union(desired.prefixes) if name.startswith(f"{prefix}-")]
    return bool(owners) and max(owners, key=len) in desired.prefixes
