"""What nobody needs once the wanted version serves: old containers, tags, cords and asset folders."""

from __future__ import annotations

from collections.abc import Iterator

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import Change, RemoveContainer, ReplaceContainer, RestartContainer, TagLatest
from kamal_pyinfra.plan.diff_app import diff_containers, stopping_containers
from kamal_pyinfra.plan.observed import ObservedHost
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
    return (TagLatest(image=desired.image, tag=desired.latest_image, cause=f"{desired.version} is in service"),)


def diff_leftovers(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Everything that may go, in the order in which it can go.

    A run that does not prune leaves retained containers and images alone; replaced containers and folders
    that nothing mounts go in every run.
    """
    remaining = _remaining(desired, observed)
    containers = (*surplus_containers(remaining, desired.retain_containers), *_stepping_aside(desired, observed))
    gone = {change.name for change in containers}
    return (
        *containers,
        *(unused_images(remaining, observed, gone) if desired.retain_containers is not None else ()),
        *unused_cords(remaining, observed),
        *unused_assets(remaining, observed),
    )


def _remaining(desired: DesiredHost, observed: ObservedHost) -> Remaining:
    wanted = frozenset(container.name for container in desired.containers)
    return Remaining(
        owner=desired.owner,
        repository=desired.repository,
        prefixes=desired.prefixes,
        known_roles=desired.known_roles,
        stopped=newest_first(
            each for each in observed.containers if desired.owner.owns(each) and each.name not in wanted
        ),
        in_service=wanted,
        mounted=_mounted_in_the_end(desired, observed),
        images=frozenset({desired.image}),
    )


def _stepping_aside(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveContainer]:
    for change in diff_containers(desired, observed):
        if isinstance(change, ReplaceContainer):
            name = naming.replaced_name(change.container.name, desired.replaced_suffix)
            yield RemoveContainer(name=name, role=change.role, cause="was replaced")


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
