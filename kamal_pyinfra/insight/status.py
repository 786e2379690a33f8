"""What runs where, and which versions a rollback can use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from kamal_pyinfra.insight.routed import Routed
from kamal_pyinfra.naming import replica_number
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.desired.host import desired_host, owner_of
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost

PROXY = "proxy"
MISSING = "missing"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """One container of one host, or a role that lacks one.

    Args:
        role: of the app, or ``proxy``.
        replica: its number among the role's containers on the host, counted from 1.
        since: RFC 3339 time of its last start; empty if it does not run.
        drift: causes of the changes that would undo what was done outside kp.
        routed: whether the proxy routes to it: ``yes``, ``no: WHY`` or ``not known: WHY``; empty where it need not.
    """

    host: str
    role: str
    version: str
    state: str
    health: str
    since: str
    drift: tuple[str, ...] = ()
    replica: int = 1
    routed: str = ""

    @property
    def label(self) -> str:
        """The role, with the number from the second container on."""
        return self.role if self.replica == 1 else f"{self.role} {self.replica}"

    def as_json(self) -> dict[str, object]:
        """The row as a JSON object."""
        return {**asdict(self), "drift": list(self.drift)}


def status_rows(
    run: Run, observed: Mapping[str, ObservedHost], routes: Mapping[str, Mapping[str, Routed]] | None = None
) -> tuple[StatusRow, ...]:
    """All rows, hosts in the order of the configuration; ``routes`` are by host and container.

    The version that the last run put into service should run, whatever version is checked out locally.
    """
    asked = routes or {}
    return tuple(
        row for host in run.fleet if host in observed for row in _rows(run, observed[host], asked.get(host, {}))
    )


def _rows(run: Run, observed: ObservedHost, routes: Mapping[str, Routed]) -> Iterator[StatusRow]:
    version = version_in_service(run, observed)
    as_deployed = replace(run, version=version, command="deploy", replaces_edited=True)
    drift = [change for change in _changes(as_deployed, observed) if change.is_drift]
    owner = owner_of(run)
    running = owner.running(observed.containers)
    for role in (role.name for role in run.config.roles if run.includes(role.name) and role.runs_on(observed.host)):
        causes = tuple(_cause(change) for change in drift if _role_of(change) == role)
        found = sorted(
            (container for container in running if container.role == role), key=lambda each: replica_number(each.name)
        )
        for container in found:
            routed = routes.get(container.name, Routed())
            yield replace(_row(observed.host, role, container.version, container, causes), routed=routed.text)
        if not found:
            yield _absent(observed, role, version, causes)
    yield from _proxy_rows(observed, tuple(_cause(change) for change in drift if change.kind == PROXY))
    others = tuple(_cause(change) for change in drift if not _role_of(change) and change.kind != PROXY)
    if others:
        yield StatusRow(host=observed.host, role="-", version="", state="", health="", since="", drift=others)


def version_in_service(run: Run, observed: ObservedHost) -> str:
    """The version of the last run on the host; without a record the newest one that runs."""
    if observed.record is not None:
        return observed.record.version
    running = owner_of(run).running(observed.containers)
    return running[0].version if running else ""


def _changes(run: Run, observed: ObservedHost) -> tuple[Change, ...]:
    if not run.version or not observed.docker.is_usable:
        return ()
    return diff_host(desired_host(run, observed.host), observed)


def _role_of(change: Change) -> str:
    file = getattr(change, "file", None)
    return change.role or getattr(file, "role", "")


def _cause(change: Change) -> str:
    return f"{change.kind} {change.subject}: {change.cause}"


def _absent(observed: ObservedHost, role: str, version: str, drift: tuple[str, ...]) -> StatusRow:
    """The role's stopped container, which shows why none runs, or a row without a container."""
    stopped = [each for each in observed.containers if each.role == role and each.version == version]
    if stopped:
        return _row(observed.host, role, version, stopped[0], drift)
    state = UNKNOWN if observed.docker.error else MISSING
    return StatusRow(host=observed.host, role=role, version="", state=state, health="", since="", drift=drift)


def _proxy_rows(observed: ObservedHost, drift: tuple[str, ...]) -> Iterator[StatusRow]:
    proxies = [container for container in observed.containers if container.name == "traefik"]
    yield from (_row(observed.host, PROXY, each.image.rpartition(":")[2], each, drift) for each in proxies)
    if not proxies and drift:
        yield StatusRow(host=observed.host, role=PROXY, version="", state=MISSING, health="", since="", drift=drift)


def _row(host: str, role: str, version: str, container: ObservedContainer, drift: tuple[str, ...]) -> StatusRow:
    return StatusRow(
        host=host,
        role=role,
        version=version,
        state=container.status.value,
        health=container.health or "",
        since=container.started if container.is_running else "",
        drift=drift,
        replica=replica_number(container.name) if container.role else 1,
    )


@dataclass(frozen=True, kw_only=True)
class Retained:
    """One version that is still there.

    Args:
        created: RFC 3339 time of its newest container.
        is_in_service: whether it runs on any host.
        missing: hosts that lack its image, which refuse a rollback.
    """

    version: str
    created: str
    is_in_service: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_offered(self) -> bool:
        """Whether a rollback to it makes sense and is possible."""
        return not self.is_in_service and not self.missing


def retained_versions(run: Run, observed: Mapping[str, ObservedHost]) -> tuple[Retained, ...]:
    """Versions with a container left on any host, the newest first."""
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
