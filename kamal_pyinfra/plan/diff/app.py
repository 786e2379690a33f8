"""One host as it should be beside what it is: which app containers boot, drain and stop; assets; release command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from posixpath import normpath
from typing import Any, TypeVar

from kamal_pyinfra.config.model import drain_seconds, stop_seconds
from kamal_pyinfra.config.values import networks
from kamal_pyinfra.naming import REPLACED_MARK, replaced_name
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.compare import container as compare
from kamal_pyinfra.plan.compare.fields import as_cause
from kamal_pyinfra.plan.docker_values import published_ports
from kamal_pyinfra.plan.proxy.gate import has_routers, new_reach
from kamal_pyinfra.plan.proxy.router_names import names_beside, names_of, names_taken, renamed
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Status

SHOWN_FILES = 5
UNLISTED_FILES = (
    "whether files of its image were changed is not known: there are more than 10,000, or the host did not list them "
    "in time"
)
Boot = TypeVar("Boot", bound=kinds.BootContainer)


@dataclass(frozen=True)
class Comparison:
    """One host as it should be and as it is. What becomes of its app containers is worked out once."""

    desired: DesiredHost
    observed: ObservedHost

    @cached_property
    def running(self) -> tuple[ObservedContainer, ...]:
        """Our app containers that run."""
        return self.desired.owner.running(self.observed.containers)

    @cached_property
    def boots(self) -> tuple[kinds.BootContainer, ...]:
        """One change for each desired container that is not serving as configured; primary role first."""
        changes = [change for each in self.desired.containers if (change := self._bring_into_service(each))]
        return tuple(self._stopping_first(self._named(change, changes)) for change in changes)

    @cached_property
    def stopping(self) -> frozenset[str]:
        """Names, as they are now, of our running containers that will not run when the deploy is over."""
        replaced = {change.subject for change in self.boots if isinstance(change, kinds.ReplaceContainer)}
        return frozenset(old.name for old in self.running) - (self._wanted - replaced)

    @cached_property
    def stops(self) -> tuple[kinds.StopContainer, ...]:
        """Every running app container of ours that is not desired; the new ones are healthy before these stop."""
        run = self.desired.run
        return tuple(
            stop_of(
                run,
                old,
                self.observed,
                self._stop_cause(old),
                name=replaced_name(old.name, run.replaced_suffix) if old.name in self._wanted else old.name,
                part_of=next((boot.subject for boot in self.boots if boot.role == old.role), ""),
            )
            for old in self.running
            if old.name in self.stopping
        )

    def assets(self) -> tuple[kinds.SyncAssets, ...]:
        """Where a container with assets gets started, or the folder is missing that replicas share with the first."""
        starting, there = {change.subject for change in self.boots}, self.observed.assets
        return tuple(
            kinds.SyncAssets(
                role=container.role,
                assets=container.assets,
                image=container.image,
                old_containers=tuple(old.name for old in self._of_role(container) if old.name not in self._wanted),
                cause="bridges two versions" if container.assets.volume in there else "not extracted",
                is_drift=container.name not in starting and compare.was_started(container, self.observed),
                part_of=container.name if container.name in starting else "",
            )
            for container in self.desired.containers
            if container.assets
            and container.replica == 1
            and (container.name in starting or container.assets.volume not in there)
        )

    def release(self) -> tuple[kinds.RunRelease, ...]:
        """One change on the release command's host if its role boots there; none anywhere else."""
        release = self.desired.release
        role = release.container.role if release else ""
        is_booting = any(boot.role == role and not isinstance(boot, kinds.AwaitContainer) for boot in self.boots)
        cause = "release command runs once before boot"
        return (kinds.RunRelease(release=release, role=role, cause=cause),) if release and is_booting else ()

    def port_conflicts(self) -> Iterator[str]:
        """A port that the old container holds: the new one could not boot beside it, today or ever."""
        boots = (each for each in self.boots if not (isinstance(each, kinds.AwaitContainer) or each.stops_first))
        for container, old in ((each.container, old) for each in boots for old in self.running):
            for port in _held_ports(container, old):
                yield (
                    f"{self.desired.host}: role {container.role} publishes port {port} of the host, which {old.name} "
                    "holds: the new container cannot boot beside it. Take `publish` out of the role's options (the "
                    "proxy routes to the port inside), or run `kp app stop` before each deploy"
                )

    @cached_property
    def _wanted(self) -> frozenset[str]:
        return frozenset(container.name for container in self.desired.containers)

    def _of_role(self, container: AppContainer) -> list[ObservedContainer]:
        return [old for old in self.running if old.role == container.role]

    def _replaced(self, container: AppContainer) -> list[ObservedContainer]:
        """What runs of the role and is not itself desired beside this container: all of it goes for the first one."""
        found = [old for old in self._of_role(container) if old.name not in self._wanted - {container.name}]
        if container.replica == 1:
            return found
        same = [old for old in found if old.name == container.name]
        return same or found[container.replica - 1 : container.replica] or found[:1]

    def _scaling(self, container: AppContainer) -> str:
        """How many containers of the version there are and will be, if that changes and some are there."""
        current = (old for old in self._of_role(container) if REPLACED_MARK not in old.name)
        now = sum(old.version == container.version for old in current)
        wanted = sum(other.role == container.role for other in self.desired.containers)
        return f"replicas {now} → {wanted}" if now not in (0, wanted) else ""

    def _change(self, kind: type[Boot], container: AppContainer, cause: str, **others: Any) -> Boot:
        replaces = tuple(old.name for old in self._replaced(container))
        action = kinds.Action.REPLACE if replaces else None
        others = {"container": container, "role": container.role, "replaces": replaces, **others}
        return kind(cause=cause, special_action=action, **others)

    def _bring_into_service(self, container: AppContainer) -> kinds.BootContainer | None:
        """What has to happen so that a container serves as configured."""
        observed, existing = self.observed, self.observed.container(container.name)
        if existing is None:
            return self._boot(container)
        if differences := compare.container_differences(container, existing, observed):
            is_drift, cause = compare.is_by_hand(container, existing, differences), as_cause(differences)
            return self._change(kinds.ReplaceContainer, container, cause, is_drift=is_drift, differences=differences)
        if self.desired.run.replaces_edited and existing.edited:
            return self._change(kinds.ReplaceContainer, container, edited_files(existing), is_drift=True)
        is_drift = compare.was_in_service(self.desired, observed)
        if existing.status == Status.EXITED:
            return self._restart(container, existing, is_drift=is_drift)
        if existing.status != Status.RUNNING:
            is_drift = is_drift and existing.status == Status.PAUSED
            return self._change(kinds.ReplaceContainer, container, f"is {existing.status}", is_drift=is_drift)
        if container.health is None or existing.health == "healthy":
            return None
        tied = {observed.absolute(path) for path, is_tied in observed.cords.items() if is_tied}
        if container.cord and cord_of(self.desired.run, existing, observed) not in tied:
            return self._change(kinds.ReplaceContainer, container, "its cord was cut", is_drift=is_drift)
        return kinds.AwaitContainer(container=container, role=container.role, cause=f"is {existing.health}")

    def _boot(self, container: AppContainer) -> kinds.BootContainer:
        old, is_drift = next(iter(self._replaced(container)), None), compare.was_started(container, self.observed)
        if old is None:
            cause = "was removed" if is_drift else self._scaling(container) or "not found"
            return self._change(kinds.BootContainer, container, cause, is_drift=is_drift)
        is_same = old.version == container.version
        cause = "its predecessor stepped aside" if is_same else f"version {old.version} → {container.version}"
        differences = compare.config_differences(container, old, self.observed)
        return self._change(kinds.BootContainer, container, cause, is_drift=is_drift, differences=differences)

    def _restart(self, container: AppContainer, existing: ObservedContainer, *, is_drift: bool) -> kinds.BootContainer:
        """A retained container keeps its labels: it cannot start beside one that defines a name of its otherwise."""
        if taken := names_taken(existing, self.observed.running):
            cause = f"is stopped, {taken[0]} changed since"
            return self._change(kinds.ReplaceContainer, container, cause, is_drift=is_drift)
        cord = cord_of(self.desired.run, existing, self.observed)
        return self._change(kinds.RestartContainer, container, "is stopped", is_drift=is_drift, cord=cord)

    def _named(self, change: kinds.BootContainer, changes: Sequence[kinds.BootContainer]) -> kinds.BootContainer:
        """What starts takes no name in the proxy from what serves, and has those of the replicas that stay.

        The proxy spreads requests over the servers of one name.
        """
        if isinstance(change, kinds.AwaitContainer):
            return change
        observed, there = self.observed, kinds.AwaitContainer | kinds.RestartContainer
        starting = {each.subject for each in changes if not isinstance(each, there)}
        replicas = {each.name for each in self.desired.containers if each.role == change.role} - starting
        staying = sorted((each for each in observed.containers if each.name in replicas), key=lambda each: each.status)
        names = next((names_of(each.labels) for each in reversed(staying)), None)
        if isinstance(change, kinds.RestartContainer):
            existing = observed.container(change.subject)
            if existing is None or names is None or names_of(existing.labels) == names:
                return change
            cause = "is stopped, and was routed under another name"
            change = self._change(kinds.ReplaceContainer, change.container, cause, is_drift=change.is_drift)
        names = names or names_beside(change.container, observed.running)
        cause, (port, untried) = change.cause, new_reach(change.container, observed.running)
        if names.broken:
            cause += f"; interrupts traffic: {', '.join(names.broken)} differs"
        if untried:
            cause += f"; loses requests if the proxy cannot reach it: {untried} differs"
        # The digest is of the configuration and stays.
        labels = tuple(renamed(dict(change.container.labels), names).items())
        return replace(change, container=replace(change.container, labels=labels), cause=cause, awaited_port=port)

    def _stopping_first(self, change: kinds.BootContainer) -> kinds.BootContainer:
        """Two versions of a role cannot both have a port or the network of the host, so the old one may stop first.

        Nothing behind the proxy does. Of replicas on one network it is known that they listen on nothing.
        """
        container, suffix = change.container, self.desired.run.replaced_suffix
        found = {old.name: shared for old in self._of_role(container) if (shared := _shared(container, old))}
        wanted = sum(each.role == container.role for each in self.desired.containers)
        if wanted > 1 or isinstance(change, kinds.AwaitContainer) or not found:
            return change
        renamed = {container.name} if isinstance(change, kinds.ReplaceContainer) else set()
        names = tuple(replaced_name(name, suffix) if name in renamed else name for name in found)
        stops = f"interrupts {container.role}: {', '.join(found)} stops first, both {next(iter(found.values()))}"
        return replace(change, stops_first=names, cause=f"{change.cause}; {stops}")

    def _stop_cause(self, old: ObservedContainer) -> str:
        desired = self.desired
        for container in desired.containers:
            if container.role == old.role:
                scaling = "" if REPLACED_MARK in old.name else self._scaling(container)
                is_surplus = scaling and old.version == container.version
                return f"stops, {scaling}" if is_surplus else f"stops, replaced by {container.name}"
        if desired.is_leaving:
            return f"stops, {desired.host} is not in the config"
        is_known = old.role in desired.run.known_roles
        return f"stops, role {old.role} is not {'on this host any more' if is_known else 'in the config'}"


def _shared(container: AppContainer, old: ObservedContainer) -> str:
    """What a container would have with an old one that only one of them can have, as words."""
    if "host" in networks(dict(container.options)) and "host" in old.options.get("NetworkMode", ()):
        return "use the host's network"
    ports = () if has_routers(dict(container.labels)) else _held_ports(container, old)
    return f"publish port {', '.join(ports)}" if ports else ""


def _held_ports(container: AppContainer, old: ObservedContainer) -> list[str]:
    """Ports of the host that a new container would publish, and that another one holds."""
    held = {binding.rpartition(":")[2] for bindings in old.ports.values() for binding in bindings}
    return sorted(published_ports(container.options) & held)


def edited_files(container: ObservedContainer) -> str:
    """Which files of its image were changed since it was put into service; the first few by name."""
    more = f" and {len(container.edited) - SHOWN_FILES} more" if len(container.edited) > SHOWN_FILES else ""
    return f"files of its image changed: {', '.join(container.edited[:SHOWN_FILES])}{more}"


def stop_of(
    run: Run, container: ObservedContainer, observed: ObservedHost, cause: str, *, name: str = "", part_of: str = ""
) -> kinds.StopContainer:
    """A running container is drained and stopped, under the name that it has by then."""
    return kinds.StopContainer(
        name=name or container.name,
        role=container.role,
        cause=cause,
        cord=cord_of(run, container, observed),
        drain_timeout=drain_seconds(run.config, container.health_interval),
        stop_timeout=stop_seconds(run.config),
        part_of=part_of,
    )


def cord_of(run: Run, container: ObservedContainer, observed: ObservedHost) -> str | None:
    """The host folder that a container mounts as its cord; absolute, as Docker shows it.

    It is known by where it is mounted, or by where it lies, since ``cord`` may have changed and Kamal removes what it
    cuts.
    """
    configured = (run.config.healthcheck.cord, *(role.healthcheck.cord for role in run.config.roles))
    targets = {normpath(target) for target in configured if target}
    known = {observed.absolute(path) for path in observed.cords}
    mounts = container.mounts.items()
    return next((source for target, source in mounts if target in targets or source in known), None)
