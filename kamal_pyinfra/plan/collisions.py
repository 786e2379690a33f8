"""Names of ours that are somebody else's on a host: joined names that collide, containers that strangers call so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kamal_pyinfra import naming
from kamal_pyinfra.naming import joined
from kamal_pyinfra.plan.state.desired import AccessoryContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Owner


def collisions(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """Why nothing must be written on a host: another service or destination has the same names there.

    Names are joined by hyphens (Kamal 1.9), so role ``api-web`` of ``shop`` and role ``web`` of ``shop-api`` have the
    same env file, router and cords, and ``shop-eu`` the lock and the records of destination ``eu`` of ``shop``.
    """
    found = (_collision(desired, other) for other in observed.containers if other.role)
    return [*dict.fromkeys(f"{desired.host}: {each}" for each in found if each), *_recorded(desired, observed)]


def _collision(desired: DesiredHost, other: ObservedContainer) -> str:
    owner, theirs = desired.owner, Owner(service=other.service, destination=other.destination)
    if (theirs.service, theirs.destination) == (owner.service, owner.destination):
        return ""
    prefix = joined(other.service, other.role, other.destination)
    if prefix in desired.prefixes:
        return (
            f"{other.name} is role {other.role} of {_shown(theirs)}, and everything of it is called {prefix} as one "
            f"of our roles is: env file, router, cords; {WAY_OUT}"
        )
    if other.service_name == joined(owner.service, owner.destination):
        return _same_service(theirs, f"{other.name} is of it")
    return ""


def _recorded(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """A host that the other service left containers on no more, or never had any."""
    owner, record = desired.owner, observed.record
    if (
        record is not None
        and record.service
        and (record.service, record.destination)
        != (
            owner.service,
            owner.destination,
        )
    ):
        theirs = Owner(service=record.service, destination=record.destination)
        yield f"{desired.host}: {_same_service(theirs, f'{naming.hosts_record(desired.run.config)} is of it')}"


WAY_OUT = "another name for the service, the role or the destination keeps them apart"


def _same_service(theirs: Owner, proof: str) -> str:
    return f"{_shown(theirs)} has the lock, the log and the records that ours would have ({proof}); {WAY_OUT}"


def _shown(owner: Owner) -> str:
    return f"service {owner.service}{f', destination {owner.destination}' if owner.destination else ''}"


def taken_accessories(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """Why nothing can be done about accessories whose containers' names somebody else has."""
    yield from (f"{desired.host}: {reason}" for reason in foreign_accessories(desired, observed))


def foreign_accessories(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """The accessories of the configuration whose containers' names somebody else has."""
    for accessory in desired.accessories:
        existing = observed.container(accessory.name)
        if existing is not None and is_foreign(accessory, existing):
            yield (
                f"accessory {accessory.key}: the name {accessory.name} is taken by a container that is not ours; "
                "it is left alone"
            )


def is_foreign(accessory: AccessoryContainer, existing: ObservedContainer) -> bool:
    """Whether the container that has the name of an accessory was started by neither kp nor Kamal as that.

    One of Kamal's has the ``service`` label alone. Accessories are shared by destinations (Kamal 1.9), so that only
    the name of the accessory and the service tell others apart.
    """
    label = dict(accessory.labels).get("service", "")
    if existing.role or existing.service != label or existing.is_orchestrated:
        return True
    name = existing.accessory.rpartition("/")[2]
    return bool(existing.accessory) and name != accessory.key


def taken_names(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """The app containers whose names somebody else has.

    ``shop-web-eu-v1`` is role ``web-eu``, but also role ``web`` of the destination ``eu``.
    """
    for container in desired.containers:
        existing = observed.container(container.name)
        if existing and _identity(existing.labels) != _identity(dict(container.labels)):
            yield f"{desired.host}: the name {container.name} is taken by a container that is not ours"
        elif existing and existing.is_orchestrated:
            yield f"{desired.host}: the name {container.name} is taken by a container of Compose or Swarm, not ours"


def _identity(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("service", "role", "destination"))
