"""Accessories: which are missing, which are not as configured, and which left the configuration."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.collisions import is_foreign
from kamal_pyinfra.plan.compare.container import container_differences, upload_differences
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.state.desired import AccessoryContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost


def diff_accessories(compared: Comparison) -> tuple[kinds.AccessoryChange, ...]:
    """Everything about accessories that is not as the configuration says; what a deploy advises."""
    changes = (_diff_accessory(accessory, compared.observed) for accessory in compared.desired.accessories)
    return (*filter(None, changes), *diff_left_accessories(compared))


def _diff_accessory(accessory: AccessoryContainer, observed: ObservedHost) -> kinds.AccessoryChange | None:
    existing, boot = observed.container(accessory.name), _boot(accessory, observed)
    if existing is not None and is_foreign(accessory, existing):
        return None
    if existing is None or boot.differences:
        return boot
    cause = f"is {existing.status}"
    switch = kinds.SwitchAccessory(name=accessory.key, container=accessory.name, cause=cause, is_drift=True)
    return None if existing.is_running else switch


def _boot(accessory: AccessoryContainer, observed: ObservedHost) -> kinds.BootAccessory:
    """A missing one gets run; one that is there gets replaced, whether it differs or not."""
    existing = observed.container(accessory.name)
    found = container_differences(accessory, existing, observed) if existing else ()
    differences = (*found, *upload_differences(accessory.uploads, observed)) if existing else ()
    cause = as_cause(differences) if differences else "asked for" if existing else "is not on the host"
    return kinds.BootAccessory(
        name=accessory.key,
        container=accessory.name,
        accessory=accessory,
        cause=cause,
        differences=differences,
        special_action=kinds.Action.REPLACE if existing else None,
    )


def diff_missing_accessories(compared: Comparison) -> tuple[kinds.BootAccessory, ...]:
    """The accessories that have to be run, if the run boots any; with a run that reboots them, all."""
    behaviour, observed = compared.desired.run.behaviour, compared.observed
    wanted = compared.desired.accessories if behaviour.boots_accessories else ()
    reboots = behaviour.reboots_accessories
    return tuple(_boot(each, observed) for each in wanted if reboots or observed.container(each.name) is None)


def diff_left_accessories(compared: Comparison) -> tuple[kinds.RemoveAccessory, ...]:
    """Accessories of ours that are not in the configuration any more, or not on this host."""
    desired, observed, config = compared.desired, compared.observed, compared.desired.run.config
    staying = {naming.accessory_container(config, name) for name in config.accessories_on(desired.host)}
    found: list[kinds.RemoveAccessory] = []
    for container in observed.containers:
        owner, name = container.accessory.rpartition("/")[::2]
        if f"{owner}/" != naming.accessory_owner(config, "") or container.name in staying or container.role:
            continue
        # What somebody runs from an image with our label is not ours for that.
        if not container.is_orchestrated and naming.ACCESSORY_LABEL in observed.given_labels(container):
            where = "on this host" if name in config.accessories else "in the config"
            found.append(removal_of(desired, container, name, cause=f"accessory {name} is not {where} any more"))
    return tuple(found)


def removal_of(
    desired: DesiredHost, container: ObservedContainer, name: str, *, cause: str, data: str = ""
) -> kinds.RemoveAccessory:
    """An accessory that is there is removed."""
    return kinds.RemoveAccessory(
        name=name,
        container=container.name,
        cause=cause,
        image=container.image,
        env_file=naming.accessory_env_file(desired.run.config, container.name),
        data=data,
        is_running=container.is_running,
    )
