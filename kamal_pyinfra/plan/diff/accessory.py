"""Accessories: which are missing, which are not as configured, and which left the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    AccessoryChange,
    BootAccessory,
    RebootAccessory,
    RemoveAccessory,
    SwitchAccessory,
)
from kamal_pyinfra.plan.collisions import is_foreign
from kamal_pyinfra.plan.compare.container import accessory_differences
from kamal_pyinfra.plan.compare.fields import Difference, as_cause
from kamal_pyinfra.plan.state.desired import AccessoryContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def diff_accessories(desired: DesiredHost, observed: ObservedHost) -> tuple[AccessoryChange, ...]:
    """Everything about accessories that is not as the configuration says; what a deploy advises."""
    changes = (_diff_accessory(accessory, observed) for accessory in desired.accessories)
    return (*(change for change in changes if change is not None), *diff_left_accessories(desired, observed))


def _diff_accessory(accessory: AccessoryContainer, observed: ObservedHost) -> AccessoryChange | None:
    existing = observed.container(accessory.name)
    if existing is None:
        return _boot(accessory)
    if is_foreign(accessory, existing):
        return None
    if differences := accessory_differences(accessory, existing, observed):
        return _reboot(accessory, differences)
    if not existing.is_running:
        cause = f"is {existing.status}"
        return SwitchAccessory(name=accessory.key, container=accessory.name, cause=cause, is_drift=True)
    return None


def _boot(accessory: AccessoryContainer) -> BootAccessory:
    return BootAccessory(name=accessory.key, container=accessory.name, accessory=accessory, cause="is not on the host")


def _reboot(accessory: AccessoryContainer, differences: tuple[Difference, ...]) -> RebootAccessory:
    return RebootAccessory(
        name=accessory.key,
        container=accessory.name,
        accessory=accessory,
        cause=as_cause(differences) if differences else "asked for",
        differences=differences,
    )


def diff_missing_accessories(desired: DesiredHost, observed: ObservedHost) -> tuple[BootAccessory, ...]:
    """The accessories that have to be run, if the run boots any; with a run that reboots them, all."""
    return tuple(_missing(desired, observed)) if desired.run.behaviour.boots_accessories else ()


def _missing(desired: DesiredHost, observed: ObservedHost) -> Iterator[BootAccessory]:
    for accessory in desired.accessories:
        existing = observed.container(accessory.name)
        if existing is None:
            yield _boot(accessory)
        elif desired.run.behaviour.reboots_accessories:
            yield _reboot(accessory, accessory_differences(accessory, existing, observed))


def accessory_images_to_pull(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """The images of accessories that ``docker run`` will have to fetch; it takes ``latest`` for one without a tag."""
    images = {change.accessory.image for change in diff_missing_accessories(desired, observed)}
    tagged = {image: image if ":" in image.rpartition("/")[2] else f"{image}:latest" for image in sorted(images)}
    return [image for image, reference in tagged.items() if not observed.has_image(reference)]


def diff_left_accessories(desired: DesiredHost, observed: ObservedHost) -> tuple[RemoveAccessory, ...]:
    """Accessories of ours that are not in the configuration any more, or not on this host."""
    return tuple(_left(desired, observed))


def _left(desired: DesiredHost, observed: ObservedHost) -> Iterator[RemoveAccessory]:
    config = desired.run.config
    staying = {naming.accessory_container(config, name) for name in config.accessories_on(desired.host)}
    for container in observed.containers:
        owner, name = container.accessory.rpartition("/")[::2]
        if f"{owner}/" != naming.accessory_owner(config, "") or container.name in staying or container.role:
            continue
        # What somebody runs from an image with our label is not ours for that.
        if container.is_orchestrated or naming.ACCESSORY_LABEL not in observed.given_labels(container):
            continue
        is_known = name in config.accessories
        cause = f"accessory {name} is not {'on this host' if is_known else 'in the config'} any more"
        yield removal_of(desired, container, name, cause=cause)


def removal_of(
    desired: DesiredHost, container: ObservedContainer, name: str, *, cause: str, data: str = ""
) -> RemoveAccessory:
    """An accessory that is there is removed."""
    return RemoveAccessory(
        name=name,
        container=container.name,
        cause=cause,
        image=container.image,
        env_file=naming.accessory_env_file(desired.run.config, container.name),
        data=data,
        is_running=container.is_running,
    )
