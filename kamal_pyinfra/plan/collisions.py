"""Names of ours that are somebody else's on a host: joined names that collide, containers that strangers call so."""

from __future__ import annotations

from collections.abc import Iterator

from kamal_pyinfra import naming
from kamal_pyinfra.plan.proxy.router_names import identity
from kamal_pyinfra.plan.state.desired import AccessoryContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost

WAY_OUT = "another name for the service, the role or the destination keeps them apart"
SAME_SERVICE = "{} has the lock, the log and the records that ours would have ({})"


def collisions(desired: DesiredHost, observed: ObservedHost) -> list[str]:
    """Why nothing must be written on a host: another service or destination has the same names there.

    Names are joined by hyphens (Kamal 1.9), so role ``api-web`` of ``shop`` and role ``web`` of ``shop-api`` have the
    same env file, router and cords, and ``shop-eu`` the lock and the records of destination ``eu`` of ``shop``. The
    other service may have no containers on the host any more, or never had any, so its record counts too.
    """
    owner, record = desired.owner, observed.record
    found = [_collision(desired, other) for other in observed.containers if other.role]
    if record is not None and record.is_of_another(owner.service, owner.destination):
        shown = _shown(record.service, record.destination)
        found.append(SAME_SERVICE.format(shown, f"{naming.hosts_record(desired.run.config)} is of it"))
    return [f"{desired.host}: {each}; {WAY_OUT}" for each in dict.fromkeys(found) if each]


def _collision(desired: DesiredHost, other: ObservedContainer) -> str:
    owner, shown = desired.owner, _shown(other.service, other.destination)
    if (other.service, other.destination) == (owner.service, owner.destination):
        return ""
    if other.prefix in desired.run.prefixes:
        return (
            f"{other.name} is role {other.role} of {shown}, and everything of it is "
            f"called {other.prefix} as one of our roles is: env file, router, cords"
        )
    is_same = other.service_name == naming.joined(owner.service, owner.destination)
    return SAME_SERVICE.format(shown, f"{other.name} is of it") if is_same else ""


def _shown(service: str, destination: str) -> str:
    return f"service {service}{f', destination {destination}' if destination else ''}"


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
    is_strange = bool(existing.role) or existing.service != label or existing.is_orchestrated
    return is_strange or existing.accessory.rpartition("/")[2] not in ("", accessory.key)


def taken_names(desired: DesiredHost, observed: ObservedHost) -> Iterator[str]:
    """Somebody else's names: ``shop-web-eu-v1`` is role ``web-eu``, but also role ``web`` of destination ``eu``."""
    for container in desired.containers:
        existing, taken = observed.container(container.name), f"{desired.host}: the name {container.name} is taken by"
        if existing and identity(existing.labels) != identity(dict(container.labels)):
            yield f"{taken} a container that is not ours"
        elif existing and existing.is_orchestrated:
            yield f"{taken} a container of Compose or Swarm, not ours"
