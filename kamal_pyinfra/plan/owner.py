"""Whose a container is, told by its labels alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kamal_pyinfra import naming
from kamal_pyinfra.plan.observed import ObservedContainer


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A service and destination, and the part of it that a run may touch.

    Args:
        service: the value of the ``service`` label.
        destination: the value of the ``destination`` label; empty without destination.
        roles: the only roles that the run may touch; empty for all.
    """

    service: str
    destination: str
    roles: tuple[str, ...] = ()

    def owns(self, container: ObservedContainer) -> bool:
        """Whether it is an app container of exactly this service and destination.

        Kamal 1.9 without destination matches every destination's containers; we compare the label itself.
        One-off containers inherit ``service`` from the image but have no role.
        """
        return self.is_service_of(container) and (not self.roles or container.role in self.roles)

    def is_service_of(self, container: ObservedContainer) -> bool:
        """Whether it is an app container of the service and destination, of whatever role.

        All images of the service have its ``service`` label, and may have the others: so the name that ``docker run``
        was given counts too.
        """
        is_same = (container.service, container.destination) == (self.service, self.destination)
        prefix = naming.joined(self.service, container.role, self.destination)
        is_named = container.name.startswith(f"{prefix}-") and not container.is_orchestrated
        return is_same and bool(container.role) and is_named

    def running(self, containers: Iterable[ObservedContainer]) -> tuple[ObservedContainer, ...]:
        """Its running app containers, newest first."""
        ours = (container for container in containers if self.owns(container) and container.is_running)
        return tuple(sorted(ours, key=lambda container: (container.created, container.name), reverse=True))
