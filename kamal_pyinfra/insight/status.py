"""What runs where, and which versions a rollback can use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kamal_pyinfra.insight.routed import Routed
from kamal_pyinfra.naming import PROXY_CONTAINER, replica_number
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import UNLISTED_FILES, Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost

PROXY = "proxy"
MISSING = "missing"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """One container of one host, or a role that lacks one."""

    host: str
    role: str  # of the app, or ``proxy``
    version: str = ""
    state: str = ""
    health: str = ""
    since: str = ""  # RFC 3339 time of its last start; empty if it does not run
    drift: tuple[str, ...] = ()  # causes of changes that would undo what was done outside kp, and what is not known
    replica: int = 1  # its number among the role's containers on the host
    routed: str = ""  # by the proxy: ``yes``, ``no: WHY`` or ``not known: WHY``; empty where it need not

    @property
    def label(self) -> str:
        """The role, with the number from the second container on."""
        return self.role if self.replica == 1 else f"{self.role} {self.replica}"


def status_rows(
    run: Run, observed: Mapping[str, ObservedHost], routes: Mapping[str, Mapping[str, Routed]] | None = None
) -> tuple[StatusRow, ...]:
    """Return all rows, hosts in the order of the configuration; ``routes`` are by host and container.

    The version that the last run put into service should run, whatever version is checked out locally.
    """
    hosts = [host for host in run.fleet if host in observed]
    return tuple(row for host in hosts for row in _rows(run, observed[host], (routes or {}).get(host, {})))


def _rows(run: Run, observed: ObservedHost, routes: Mapping[str, Routed]) -> Iterator[StatusRow]:
    running = run.owner.running(observed.containers)
    newest = running[0].version if running else ""
    version = observed.record.version if observed.record is not None else newest
    drift = _drift(replace(run, version=version, command="deploy", replaces_edited=True), observed)
    for role in (role.name for role in run.config.roles if run.includes(role.name) and observed.host in role.hosts):
        causes = tuple(_cause(change) for change in drift if _role_of(change) == role)
        found = [container for container in running if container.role == role]
        for container in sorted(found, key=lambda container: replica_number(container.name)):
            routed = routes.get(container.name, Routed()).text
            unlisted = () if container.are_edits_known else (UNLISTED_FILES,)
            yield _row(observed.host, role, container, (*causes, *unlisted), routed=routed)
        if not found:
            yield _absent(observed, role, version, causes)
    yield from _proxy_rows(observed, tuple(_cause(change) for change in drift if change.kind == PROXY))
    others = tuple(_cause(change) for change in drift if not _role_of(change) and change.kind != PROXY)
    if others:
        yield StatusRow(host=observed.host, role="-", drift=others)


def _drift(run: Run, observed: ObservedHost) -> list[Change]:
    if not run.version or not observed.docker.is_usable:
        return []
    return [change for change in diff_host(Comparison(desired_host(run, observed.host), observed)) if change.is_drift]


def _role_of(change: Change) -> str:
    return change.role or getattr(getattr(change, "file", None), "role", "")


def _cause(change: Change) -> str:
    return f"{change.kind} {change.subject}: {change.cause}"


def _absent(observed: ObservedHost, role: str, version: str, drift: tuple[str, ...]) -> StatusRow:
    """Return the row of a stopped container, which shows why none runs, or one without a container."""
    for container in observed.containers:
        if container.role == role and container.version == version:
            return _row(observed.host, role, container, drift)
    return StatusRow(host=observed.host, role=role, state=UNKNOWN if observed.docker.error else MISSING, drift=drift)


def _proxy_rows(observed: ObservedHost, drift: tuple[str, ...]) -> Iterator[StatusRow]:
    proxy = observed.container(PROXY_CONTAINER)
    if proxy is not None:
        yield replace(_row(observed.host, PROXY, proxy, drift), version=proxy.image.rpartition(":")[2], replica=1)
    elif drift:
        yield StatusRow(host=observed.host, role=PROXY, state=MISSING, drift=drift)


def _row(host: str, role: str, container: ObservedContainer, drift: tuple[str, ...], *, routed: str = "") -> StatusRow:
    return StatusRow(
        host=host,
        role=role,
        version=container.version,
        state=container.status.value,
        health=container.health or "",
        since=container.started if container.is_running else "",
        drift=drift,
        replica=replica_number(container.name),
        routed=routed,
    )


@dataclass(frozen=True, kw_only=True)
class Retained:
    """One version that is still there."""

    version: str
    created: str  # RFC 3339 time of its newest container
    is_in_service: bool = False  # it runs on any host
    missing: tuple[str, ...] = ()  # hosts that lack its image, which refuse a rollback

    @property
    def is_offered(self) -> bool:
        """Whether a rollback to it makes sense and is possible."""
        return not self.is_in_service and not self.missing


def retained_versions(run: Run, observed: Mapping[str, ObservedHost]) -> tuple[Retained, ...]:
    """Return versions with a container left on any host, the newest first."""
    owner = run.owner
    left: dict[str, list[ObservedContainer]] = {}
    for host in observed.values():
        for container in host.containers:
            if owner.owns(container) and container.version:
                left.setdefault(container.version, []).append(container)
    roles = [role for role in run.config.roles if run.includes(role.name)]
    needing = [host for host in observed if any(host in role.hosts for role in roles)]
    found = (
        Retained(
            version=version,
            created=max(container.created for container in containers),
            is_in_service=any(container.is_running for container in containers),
            missing=tuple(host for host in needing if not observed[host].has_image(run.config.absolute_image(version))),
        )
        for version, containers in left.items()
    )
    return tuple(sorted(found, key=lambda each: each.created, reverse=True))
