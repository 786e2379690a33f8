"""What is surplus after a run: containers, images, folders, records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kamal_pyinfra import naming
from kamal_pyinfra.naming import REPLACED_MARK, REPLICA_MARK, first_replica
from kamal_pyinfra.plan.changes import (
    Change,
    ForgetHosts,
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
    RemoveProxy,
    RemoveUntagged,
    ReplaceContainer,
    RestartContainer,
    TagLatest,
)
from kamal_pyinfra.plan.diff.accessory import diff_left_accessories
from kamal_pyinfra.plan.diff.app import booting_containers, diff_containers, diff_old_containers, stopping_containers
from kamal_pyinfra.plan.diff.proxy import foreign_proxy
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Owner, Record

RUN_ID = r"[0-9a-f]{32}"
RECENT_SECONDS = 3600
"""So long after it was built or pulled an image may wait for its container."""
NO_TAG = "<none>"
"""What Docker shows for an image whose tag went to another one; it is no reference that could be removed."""


@dataclass(frozen=True, kw_only=True)
class Surplus:
    """A service's part of a host once a command is over."""

    run: Run
    owner: Owner  # what the labels of our containers say
    former_roles: tuple[str, ...] = ()  # roles that were on the host and whose leftovers the run may touch
    stopped: tuple[ObservedContainer, ...] = ()  # our containers that do not run then, newest first
    in_service: frozenset[str] = frozenset()  # containers whose folders are needed, by name
    mounted: frozenset[str] = frozenset()  # host folders that running containers mount, ours or not
    images: frozenset[str] = frozenset()  # references that stay whether a container uses them or not

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The container prefixes of the roles that the run may touch."""
        return (*self.run.prefixes, *(self.owner.prefix(role) for role in self.former_roles))


def surplus_containers(surplus: Surplus, retain: int | None) -> Iterator[RemoveContainer]:
    """Per role the newest stopped versions are kept; a replaced container serves no rollback.

    A replica too many of the version in service goes when its version does: it would be desired again.
    """
    kept: dict[str, list[str]] = {}
    serving = {first_replica(name) for name in surplus.in_service}
    for old in surplus.stopped:
        if REPLACED_MARK in old.name:
            yield RemoveContainer(name=old.name, role=old.role, cause="was replaced")
            continue
        versions = kept.setdefault(old.role, [])
        name = first_replica(old.name)
        if name in versions or name in serving:
            continue
        if retain is None or len(versions) < retain:
            versions.append(name)
        else:
            yield RemoveContainer(name=old.name, role=old.role, cause=f"only {retain} are retained")


def recent_images(surplus: Surplus, observed: ObservedHost) -> frozenset[str]:
    """Tags that somebody else may be about to start: new ones, where another destination or service is at work.

    Its run has its lock, not ours. By the time it pulls, its env files are there. A service whose containers come from
    another repository starts none of our images.
    """
    ours = {*surplus.prefixes, *map(surplus.owner.prefix, surplus.run.known_roles)}
    files = {path.rpartition("/")[2].removesuffix(".env") for path in observed.env_files}
    neighbours = [each for each in observed.containers if each.role and not surplus.owner.is_service_of(each)]
    alike = [each for each in neighbours if each.image.startswith(f"{surplus.run.config.repository}:")]
    others = {each.prefix for each in neighbours if each not in alike}
    if files <= ours | others and not alike:
        return frozenset()
    ages = {each.reference: observed.now - observed.image_times.get(each.id, 0) for each in observed.images}
    return frozenset(image for image, age in ages.items() if observed.now and abs(age) < RECENT_SECONDS)


def unused_images(surplus: Surplus, observed: ObservedHost, gone: set[str]) -> Iterator[RemoveImage]:
    """Versions of the app that no container uses any more; ``latest`` is no version."""
    kept = surplus.images | recent_images(surplus, observed)
    kept |= {container.image for container in observed.containers if container.name not in gone}
    for image in sorted(observed.images, key=lambda image: image.reference):
        repository, _, tag = image.reference.rpartition(":")
        is_version = tag != NO_TAG and tag.split("-")[0] != "latest"
        if repository == surplus.run.config.repository and is_version and image.reference not in kept:
            yield RemoveImage(image=image.reference, cause="no container uses it")


def untagged_images(surplus: Surplus, observed: ObservedHost) -> tuple[RemoveUntagged, ...]:
    """Images whose tag went to a newer one, unless a container or another tag needs them."""
    used = {container.image_id for container in observed.containers}
    tagged = {image.id for image in observed.images if not image.reference.endswith(f":{NO_TAG}")}
    reference = f"{surplus.run.config.repository}:{NO_TAG}"
    lost = [image for image in observed.images if image.reference == reference and image.id not in used | tagged]
    if not lost:
        return ()
    return (RemoveUntagged(image=reference, service=surplus.owner.service, cause=f"{len(lost)} lost the tag"),)


def unused_cords(surplus: Surplus, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    """Cord directories of our roles that no container mounts."""
    names = "|".join(f"(?:{re.escape(prefix)})-{RUN_ID}(?:{REPLICA_MARK}[0-9]+)?" for prefix in surplus.prefixes)
    pattern = re.compile(names or r"(?!)")
    for path in sorted(observed.cords):
        if pattern.fullmatch(path.rpartition("/")[2]) and observed.absolute(path) not in surplus.mounted:
            yield RemoveDirectory(path=path, cause="no container mounts it")


def unused_assets(surplus: Surplus, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    """Asset folders of our roles that belong to no container in service."""
    kept = surplus.in_service | {source.rpartition("/")[2] for source in surplus.mounted}
    others = {other.prefix for other in observed.containers if other.role}
    prefixes = others.union(surplus.prefixes, map(surplus.owner.prefix, surplus.run.known_roles))
    for path in sorted(observed.assets):
        name = path.rpartition("/")[2]
        # ``shop-web-eu-v1`` is not role ``web``'s if there is a role ``web-eu``.
        owner = max((prefix for prefix in prefixes if name.startswith(f"{prefix}-")), key=len, default="")
        if name not in kept and owner in surplus.prefixes:
            yield RemoveDirectory(path=path, cause="its version is not in service")


def diff_tag(desired: DesiredHost, observed: ObservedHost) -> tuple[TagLatest, ...]:
    """``latest`` (``latest-DESTINATION``) must name the version in service: Kamal finds it by that."""
    run, image_id = desired.run, observed.image_id(desired.image)
    if not desired.containers or (image_id and observed.image_id(run.latest_image) == image_id):
        return ()
    booting = booting_containers(desired, observed)
    return (
        TagLatest(
            image=desired.image,
            tag=run.latest_image,
            cause=f"{run.version} is in service",
            is_drift=not booting and observed.record is not None and observed.record.version == run.version,
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
    former = sorted(_former_roles(desired, observed))
    surplus = _surplus(desired, observed, former)
    containers = tuple(_removed_containers(desired, observed, surplus))
    gone = {change.name for change in containers}
    return (
        *containers,
        *(unused_images(surplus, observed, gone) if desired.retain_containers is not None else ()),
        *_unused_folders(desired, observed, surplus),
        *_unused_env_files(desired, observed, former),
        *(_of_a_leaving_host(desired, observed) if desired.is_leaving else ()),
    )


def is_former(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether a host shows by itself that the service was on it; another host may name any in its record."""
    record, owner = observed.record, desired.owner
    if any(owner.is_service_of(each) for each in observed.containers) or diff_left_accessories(desired, observed):
        return True
    if record is None or record.is_of_another(owner.service, owner.destination):
        return False
    return bool(record.service) or desired.host in record.hosts


def _surplus(desired: DesiredHost, observed: ObservedHost, former: list[str]) -> Surplus:
    owner, wanted = desired.owner, frozenset(container.name for container in desired.containers)
    return Surplus(
        run=desired.run,
        owner=owner,
        former_roles=() if owner.roles else tuple(former),
        stopped=tuple(each for each in owner.containers(observed.containers) if each.name not in wanted),
        in_service=wanted,
        mounted=_mounted_in_the_end(desired, observed),
        images=frozenset(() if desired.is_leaving else {desired.image}),
    )


def _removed_containers(desired: DesiredHost, observed: ObservedHost, surplus: Surplus) -> Iterator[RemoveContainer]:
    """What is not retained, and what steps aside in this run for a container of its name."""
    stopping = stopping_containers(desired, observed) if desired.is_leaving else ()
    for change in surplus_containers(surplus, desired.retain_containers):
        part_of = change.name if change.name in stopping else ""
        yield replace(change, cause=_left(desired), part_of=part_of) if desired.is_leaving else change
    for boot in diff_containers(desired, observed):
        if isinstance(boot, ReplaceContainer):
            name = naming.replaced_name(boot.container.name, desired.run.replaced_suffix)
            yield RemoveContainer(name=name, role=boot.role, cause="was replaced", part_of=boot.container.name)


def _left(desired: DesiredHost) -> str:
    return f"{desired.host} is not in the config"


def _unused_folders(desired: DesiredHost, observed: ObservedHost, surplus: Surplus) -> Iterator[RemoveDirectory]:
    """Folders of a container that is replaced go along with it."""
    stops = diff_old_containers(desired, observed)
    owners = {change.cord: change.part_of for change in stops} | {change.name: change.part_of for change in stops}
    for change in unused_cords(surplus, observed):
        yield replace(change, part_of=owners.get(observed.absolute(change.path), ""))
    for change in unused_assets(surplus, observed):
        yield replace(change, part_of=owners.get(change.path.rpartition("/")[2], ""))


def _mounted_in_the_end(desired: DesiredHost, observed: ObservedHost) -> frozenset[str]:
    """Host folders of every container, ours or not, that runs when the deploy is over."""
    changes, stopping = diff_containers(desired, observed), set(stopping_containers(desired, observed))
    starting = {change.container.name for change in changes if isinstance(change, RestartContainer)}
    return frozenset(
        source
        for container in observed.containers
        if container.name in starting or (container.is_running and container.name not in stopping)
        for source in container.mounts.values()
    )


def _unused_env_files(desired: DesiredHost, observed: ObservedHost, former: list[str]) -> Iterator[RemoveEnvFile]:
    """Of roles that were on the host and are not any more; that they were ours, a container or the record tells."""
    if desired.owner.roles or desired.retain_containers is None:
        return
    wanted = {file.path for file in desired.env_files}
    for role in former:
        path = naming.role_env_file(desired.run.config, role)
        if path in observed.env_files and path not in wanted:
            where = "is not on this host any more" if role in desired.run.known_roles else "is not in the config"
            yield RemoveEnvFile(path=path, role=role, cause=f"role {role} {where}")


def _former_roles(desired: DesiredHost, observed: ObservedHost) -> set[str]:
    owner = desired.owner
    current = {container.role for container in desired.containers}
    known = {container.role for container in observed.containers if owner.owns(container)}
    recorded = observed.record.hosts.get(desired.host, ()) if observed.record else ()
    others = {each.prefix for each in observed.containers if each.role and not owner.is_service_of(each)}
    # ``shop-web-eu`` may be role ``web-eu``, and role ``web`` of the destination ``eu``, which still needs its files.
    return {role for role in known.union(recorded) - current if owner.prefix(role) not in others}


def _of_a_leaving_host(desired: DesiredHost, observed: ObservedHost) -> Iterator[Change]:
    """The record, and the proxy unless it serves others; what else is there is not ours."""
    config, cause = desired.run.config, _left(desired)
    proxy = observed.container(naming.PROXY_CONTAINER)
    others = (other for other in observed.containers if not desired.owner.is_service_of(other))
    if proxy is not None and not foreign_proxy(observed) and not services_behind_proxy(others):
        yield RemoveProxy(name=proxy.name, cause=cause)
        env_file = naming.proxy_env_file(config)
        if env_file in observed.files:
            yield RemoveEnvFile(path=env_file, cause=cause)
    if observed.has_image(desired.run.latest_image):
        yield RemoveImage(image=desired.run.latest_image, cause=cause)
    if observed.record is not None:
        yield RemoveFile(path=naming.hosts_record(config), cause=cause)
        yield RemoveDirectory(path=naming.edits_directory(config), cause=cause)


def diff_record(desired: DesiredHost, observed: ObservedHost) -> tuple[ForgetHosts, ...]:
    """Hosts that left the configuration are in the record until they are decommissioned or forgotten."""
    run, known = desired.run, observed.record.hosts if observed.record else {}
    hosts = tuple(host for host in (*run.decommissioned, *run.forgotten) if host in known)
    if desired.is_leaving or not hosts:
        return ()
    cause = f"{', '.join(hosts)} left the config"
    return (ForgetHosts(path=naming.hosts_record(run.config), hosts=hosts, cause=cause),)


def next_record(run: Run, desired: DesiredHost, observed: ObservedHost) -> Record:
    """The record that stands on the host afterwards.

    Hosts that left the configuration stay in it until they are decommissioned or forgotten. What a run of some
    roles did not touch stays as the run before left it.
    """
    before, gone = observed.record or Record(), {*run.decommissioned, *run.forgotten}
    departed = {host: roles for host, roles in before.hosts.items() if host not in gone}
    configured = {
        server.host: tuple(role.name for role in run.config.roles if role.runs_on(server.host))
        for server in run.config.all_hosts
    }
    containers = {container.name: container.digest for container in desired.containers}
    env_files = {file.path: file.digest for file in desired.env_files if file.digest}
    return Record(
        version=run.version,
        hosts=departed | configured,
        containers={**(before.containers if run.roles else {}), **containers},
        env_files={**(before.env_files if run.roles or run.keeps_env else {}), **env_files},
        proxy=before.proxy if desired.proxy is None else desired.proxy.digest,
        service=run.config.service,
        destination=run.config.destination or "",
    )
