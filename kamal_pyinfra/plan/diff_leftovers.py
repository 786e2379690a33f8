"""What nobody needs once the wanted version serves: old containers, tags, cords and asset folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from kamal_pyinfra.plan.diff_accessory import diff_left_accessories
from kamal_pyinfra.plan.diff_app import (
    booting_containers,
    diff_containers,
    diff_old_containers,
    stopping_containers,
)
from kamal_pyinfra.plan.neighbours import foreign_proxy, proxy_users
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.remaining import (
    Remaining,
    newest_first,
    surplus_containers,
    unused_assets,
    unused_cords,
    unused_images,
)
from kamal_pyinfra.plan.state import DesiredHost


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
    if desired.is_leaving and not is_former(desired, observed):
        return ()
    remaining = _remaining(desired, observed)
    containers = (*_surplus_containers(desired, observed, remaining), *_stepping_aside(desired, observed))
    gone = {change.name for change in containers}
    return (
        *containers,
        *(unused_images(remaining, observed, gone) if desired.retain_containers is not None else ()),
        *_unused_folders(desired, observed, remaining),
        *_unused_env_files(desired, observed),
        *(_of_a_leaving_host(desired, observed) if desired.is_leaving else ()),
    )


def is_former(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether a host shows by itself that the service was on it; another host may name any in its record."""
    record, owner = observed.record, desired.owner
    if any(owner.is_service_of(each) for each in observed.containers) or diff_left_accessories(desired, observed):
        return True
    if record is None or (
        record.service and (record.service, record.destination) != (owner.service, owner.destination)
    ):
        return False
    return bool(record.service) or desired.host in record.hosts


def _remaining(desired: DesiredHost, observed: ObservedHost) -> Remaining:
    wanted = frozenset(container.name for container in desired.containers)
    former = () if desired.owner.roles else sorted(_former_roles(desired, observed))
    return Remaining(
        owner=desired.owner,
        repository=desired.repository,
        prefixes=(*desired.prefixes, *(_prefix(desired, role) for role in former)),
        known_roles=desired.known_roles,
        stopped=newest_first(
            each for each in observed.containers if desired.owner.owns(each) and each.name not in wanted
        ),
        in_service=wanted,
        mounted=_mounted_in_the_end(desired, observed),
        images=frozenset(() if desired.is_leaving else {desired.image}),
    )


def _surplus_containers(
    desired: DesiredHost, observed: ObservedHost, remaining: Remaining
) -> Iterator[RemoveContainer]:
    surplus = surplus_containers(remaining, desired.retain_containers)
    if not desired.is_leaving:
        yield from surplus
        return
    stopping = stopping_containers(desired, observed)
    for change in surplus:
        part_of = change.name if change.name in stopping else ""
        yield replace(change, cause=_left(desired), part_of=part_of)


def _left(desired: DesiredHost) -> str:
    return f"{desired.host} is not in the config"


def _prefix(desired: DesiredHost, role: str) -> str:
    return _joined(desired.owner.service, role, desired.owner.destination)


def _joined(*parts: str) -> str:
    return "-".join(filter(None, parts))


def _stepping_aside(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveContainer]:
    for change in diff_containers(desired, observed):
        if isinstance(change, ReplaceContainer):
            name = naming.replaced_name(change.container.name, desired.replaced_suffix)
            yield RemoveContainer(name=name, role=change.role, cause="was replaced", part_of=change.container.name)


def _unused_folders(desired: DesiredHost, observed: ObservedHost, remaining: Remaining) -> Iterator[RemoveDirectory]:
    """Folders of a container that is replaced go along with it."""
    stops = diff_old_containers(desired, observed)
    owners = {change.cord: change.part_of for change in stops} | {change.name: change.part_of for change in stops}
    for change in unused_cords(remaining, observed):
        yield replace(change, part_of=owners.get(observed.absolute(change.path), ""))
    for change in unused_assets(remaining, observed):
        yield replace(change, part_of=owners.get(change.path.rpartition("/")[2], ""))


def _mounted_in_the_end(desired: DesiredHost, observed: ObservedHost) -> frozenset[str]:
    """Host folders of every container, ours or not, that runs when the deploy is over."""
    stopping = set(stopping_containers(desired, observed))
    starting = {
        change.container.name for change in diff_containers(desired, observed) if isinstance(change, RestartContainer)
    }
    return frozenset(
        source
        for container in observed.containers
        if container.name in starting or (container.is_running and container.name not in stopping)
        for source in container.mounts.values()
    )


def _unused_env_files(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveEnvFile]:
    """Of roles that ran here once and do not any more; that they were ours, a container or the record tells."""
    if desired.owner.roles or desired.retain_containers is None:
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
    others = {
        _joined(each.service, each.role, each.destination) for each in observed.containers if _is_other(desired, each)
    }
    # ``shop-web-eu`` may be role ``web-eu``, and role ``web`` of the destination ``eu``, which still needs its files.
    return {role for role in seen.union(recorded) - current if _prefix(desired, role) not in others}


def _is_other(desired: DesiredHost, container: ObservedContainer) -> bool:
    return bool(container.role) and not desired.owner.is_service_of(container)


def _of_a_leaving_host(desired: DesiredHost, observed: ObservedHost) -> Iterator[Change]:
    """The record, and the proxy unless it serves others; what else is there is not ours."""
    cause = _left(desired)
    proxy = observed.container(naming.PROXY_CONTAINER)
    others = (other for other in observed.containers if not desired.owner.is_service_of(other))
    if proxy is not None and not foreign_proxy(observed) and not proxy_users(others):
        yield RemoveProxy(name=proxy.name, cause=cause)
        if desired.proxy_env_file in observed.files:
            yield RemoveEnvFile(path=desired.proxy_env_file, cause=cause)
    if observed.has_image(desired.latest_image):
        yield RemoveImage(image=desired.latest_image, cause=cause)
    if observed.record is not None:
        yield RemoveFile(path=desired.record, cause=cause)
        yield RemoveDirectory(path=desired.edits, cause=cause)
