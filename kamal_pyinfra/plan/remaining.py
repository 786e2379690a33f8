"""What stays on a host when a command is over, and what is left over beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kamal_pyinfra import naming
from kamal_pyinfra.naming import REPLACED_MARK, REPLICA_MARK, first_replica
from kamal_pyinfra.plan.changes import RemoveContainer, RemoveDirectory, RemoveImage, RemoveUntagged
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.owner import Owner

RUN_ID = r"[0-9a-f]{32}"
RECENT_SECONDS = 3600
"""So long after it was built or pulled an image may wait for its container."""
NO_TAG = "<none>"
"""What Docker shows for an image whose tag went to another one; it is no reference that could be removed."""


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """A service's part of a host once a command is over.

    Args:
        owner: what the labels of our containers say.
        prefixes: the container prefixes of the roles that the run may touch.
        known_roles: all roles of the configuration, on this host or not.
        stopped: our containers that do not run then, newest first.
        in_service: containers whose folders are needed, by name.
        mounted: host folders that running containers mount, ours or not.
        images: references that stay whether a container uses them or not.
    """

    owner: Owner
    repository: str
    prefixes: tuple[str, ...]
    known_roles: tuple[str, ...]
    stopped: tuple[ObservedContainer, ...]
    in_service: frozenset[str]
    mounted: frozenset[str]
    images: frozenset[str] = frozenset()


def newest_first(containers: Iterable[ObservedContainer]) -> tuple[ObservedContainer, ...]:
    """Containers by the time they were created."""
    return tuple(sorted(containers, key=lambda each: (each.created, each.name), reverse=True))


def surplus_containers(remaining: Remaining, retain: int | None) -> Iterator[RemoveContainer]:
    """Per role the newest stopped versions are kept; a replaced container serves no rollback.

    A replica too many of the version in service goes when its version does: it would be wanted again.
    """
    kept: dict[str, list[str]] = {}
    serving = {first_replica(name) for name in remaining.in_service}
    for old in remaining.stopped:
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


def recent_images(remaining: Remaining, observed: ObservedHost) -> frozenset[str]:
    """Tags that somebody else may be about to start: new ones, where another destination or service is at work.

    Its run has its lock, not ours. By the time it pulls, its env files are there. A service whose containers come from
    another repository starts none of our images.
    """
    owner = remaining.owner
    roles = (naming.joined(owner.service, role, owner.destination) for role in remaining.known_roles)
    ours = {*remaining.prefixes, *roles}
    files = {path.rpartition("/")[2].removesuffix(".env") for path in observed.env_files}
    neighbours = [each for each in observed.containers if each.role and not owner.is_service_of(each)]
    alike = [each for each in neighbours if each.image.startswith(f"{remaining.repository}:")]
    others = {naming.joined(each.service, each.role, each.destination) for each in neighbours if each not in alike}
    if files <= ours | others and not alike:
        return frozenset()
    ages = {each.reference: observed.now - observed.image_times.get(each.id, 0) for each in observed.images}
    return frozenset(image for image, age in ages.items() if observed.now and abs(age) < RECENT_SECONDS)


def unused_images(remaining: Remaining, observed: ObservedHost, gone: set[str]) -> Iterator[RemoveImage]:
    """Versions of the app that no container uses any more; ``latest`` is no version."""
    kept = remaining.images | recent_images(remaining, observed)
    kept |= {container.image for container in observed.containers if container.name not in gone}
    for image in sorted(observed.images, key=lambda image: image.reference):
        repository, _, tag = image.reference.rpartition(":")
        is_version = tag != NO_TAG and tag.split("-")[0] != "latest"
        if repository == remaining.repository and is_version and image.reference not in kept:
            yield RemoveImage(image=image.reference, cause="no container uses it")


def untagged_images(remaining: Remaining, observed: ObservedHost) -> tuple[RemoveUntagged, ...]:
    """Images whose tag went to a newer one, unless a container or another tag needs them."""
    used = {container.image_id for container in observed.containers}
    tagged = {image.id for image in observed.images if not image.reference.endswith(f":{NO_TAG}")}
    reference = f"{remaining.repository}:{NO_TAG}"
    lost = [image for image in observed.images if image.reference == reference and image.id not in used | tagged]
    if not lost:
        return ()
    service = remaining.owner.service
    return (RemoveUntagged(image=reference, service=service, cause=f"{len(lost)} lost the tag"),)


def unused_cords(remaining: Remaining, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    """Cord directories of our roles that no container mounts."""
    pattern = re.compile(
        "|".join(f"(?:{re.escape(prefix)})-{RUN_ID}(?:{REPLICA_MARK}[0-9]+)?" for prefix in remaining.prefixes)
        or r"(?!)"
    )
    for path in sorted(observed.cords):
        if pattern.fullmatch(path.rpartition("/")[2]) and observed.absolute(path) not in remaining.mounted:
            yield RemoveDirectory(path=path, cause="no container mounts it")


def unused_assets(remaining: Remaining, observed: ObservedHost) -> Iterator[RemoveDirectory]:
    """Asset folders of our roles that belong to no container in service."""
    kept = remaining.in_service | {source.rpartition("/")[2] for source in remaining.mounted}
    for path in sorted(observed.assets):
        name = path.rpartition("/")[2]
        if name not in kept and _belongs(name, remaining, observed):
            yield RemoveDirectory(path=path, cause="its version is not in service")


def _belongs(name: str, remaining: Remaining, observed: ObservedHost) -> bool:
    """Whether an asset folder is ours: ``shop-web-eu-v1`` is not role ``web``'s if there is a role ``web-eu``."""
    owner = remaining.owner
    others = {
        *((other.service, other.role, other.destination) for other in observed.containers if other.role),
        *((owner.service, role, owner.destination) for role in remaining.known_roles),
    }
    prefixes = {"-".join(filter(None, parts)) for parts in others}
    owners = [prefix for prefix in prefixes.union(remaining.prefixes) if name.startswith(f"{prefix}-")]
    return bool(owners) and max(owners, key=len) in remaining.prefixes
