"""What runs where, and which versions a rollback can use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kamal_pyinfra import naming
from kamal_pyinfra.insight.routed import Routed
from kamal_pyinfra.naming import PROXY_CONTAINER, replica_number
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import UNLISTED_FILES, Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost

PROXY = "proxy"
MISSING = "missing"


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
    host = observed.host
    running = run.owner.running(observed.containers)
    newest = running[0].version if running else ""
    version = observed.record.version if observed.record is not None else newest
    drift = _drift(replace(run, version=version, command="deploy", replaces_edited=True), observed)
    for role in (role.name for role in run.config.roles if run.includes(role.name) and host in role.hosts):
        causes = drift.get((role, False), ())
        found = [container for container in running if container.role == role]
        for container in sorted(found, key=lambda container: replica_number(container.name)):
            unlisted = () if container.are_edits_known else (UNLISTED_FILES,)
            yield _row(host, role, container, (*causes, *unlisted), routed=routes.get(container.name, Routed()).text)
        if not found:  # a stopped container shows why none runs
            ours = (each for each in observed.containers if (each.role, each.version) == (role, version))
            state = "unknown" if observed.docker.error else MISSING
            stopped = next(ours, None)
            missing = StatusRow(host=host, role=role, state=state, drift=causes)
            yield _row(host, role, stopped, causes) if stopped is not None else missing
    proxy, causes = observed.container(PROXY_CONTAINER), drift.get(("", True), ())
    if proxy is not None:
        yield replace(_row(host, PROXY, proxy, causes), version=proxy.image.rpartition(":")[2], replica=1)
    elif causes:
        yield StatusRow(host=host, role=PROXY, state=MISSING, drift=causes)
    if others := drift.get(("", False)):
        yield StatusRow(host=host, role="-", drift=others)


def _drift(run: Run, observed: ObservedHost) -> dict[tuple[str, bool], tuple[str, ...]]:
    """Return causes by role, and by whether they are about the proxy."""
    causes: dict[tuple[str, bool], tuple[str, ...]] = {}
    is_known = run.version and observed.docker.is_usable
    for change in diff_host(Comparison(desired_host(run, observed.host), observed)) if is_known else ():
        if change.is_drift:
            is_proxy = change.kind == PROXY
            role = "" if is_proxy else change.role or getattr(getattr(change, "file", None), "role", "")
            cause = f"{change.kind} {change.subject}: {change.cause}"
            causes[role, is_proxy] = (*causes.get((role, is_proxy), ()), cause)
    return causes


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
    left: dict[str, list[ObservedContainer]] = {}
    for container in (container for host in observed.values() for container in host.containers):
        if run.owner.owns(container) and container.version:
            left.setdefault(container.version, []).append(container)
    roles = [role for role in run.config.roles if run.includes(role.name)]
    needing = [host for host in observed if any(host in role.hosts for role in roles)]
    found = (
        Retained(
            version=version,
            created=max(container.created for container in containers),
            is_in_service=any(container.is_running for container in containers),
            missing=tuple(
                host for host in needing if not observed[host].has_image(naming.image_reference(run.config, version))
            ),
        )
        for version, containers in left.items()
    )
    return tuple(sorted(found, key=lambda each: each.created, reverse=True))
