"""The versions that a rollback can put back into service: their image is on every host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kamal_pyinfra.plan.desired import owner_of
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.run import Run


@dataclass(frozen=True, kw_only=True)
class Retained:
    """One version that is still there.

    Args:
        created: RFC 3339 time when its newest container was made.
        is_in_service: whether it runs on any host.
        missing: hosts that lack its image, so that a rollback would be refused.
    """

    version: str
    created: str
    is_in_service: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_offered(self) -> bool:
        """Whether a rollback to it makes sense and can be done."""
        return not self.is_in_service and not self.missing


def retained_versions(run: Run, observed: Mapping[str, ObservedHost]) -> tuple[Retained, ...]:
    """Versions of which a container is left on any host, the newest first."""
    owner = owner_of(run)
    left: dict[str, list[ObservedContainer]] = {}
    for host in observed.values():
        for container in host.containers:
            if owner.owns(container) and container.version:
                left.setdefault(container.version, []).append(container)
    found = (_retained(run, observed, version, containers) for version, containers in left.items())
    return tuple(sorted(found, key=lambda each: each.created, reverse=True))


def _retained(
    run: Run, observed: Mapping[str, ObservedHost], version: str, containers: list[ObservedContainer]
) -> Retained:
    image = run.config.absolute_image(version)
    roles = [role for role in run.config.roles if run.includes(role.name)]
    needing = [host for host in observed if any(role.runs_on(host) for role in roles)]
    return Retained(
        version=version,
        created=max(container.created for container in containers),
        is_in_service=any(container.is_running for container in containers),
        missing=tuple(host for host in needing if not observed[host].has_image(image)),
    )
