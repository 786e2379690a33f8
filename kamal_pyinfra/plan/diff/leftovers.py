"""What is surplus after a run: containers, images, folders, records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kamal_pyinfra import naming
from kamal_pyinfra.naming import REPLACED_MARK, REPLICA_MARK, first_replica
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.diff.accessory import diff_left_accessories
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.proxy import foreign_proxy
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Record

RUN_ID = r"[0-9a-f]{32}"
RECENT_SECONDS = 3600
"""So long after it was built or pulled an image may wait for its container."""
NO_TAG = "<none>"
"""What Docker shows for an image whose tag went to another one; it is no reference that could be removed."""


@dataclass(frozen=True, kw_only=True)
class Surplus:
    """A service's part of a host once a command is over."""

    run: Run
    observed: ObservedHost
    former_roles: tuple[str, ...] = ()  # roles that were on the host and whose leftovers the run may touch
    stopped: tuple[ObservedContainer, ...] = ()  # our containers that do not run then, newest first
    in_service: frozenset[str] = frozenset()  # containers whose folders are needed, by name
    mounted: frozenset[str] = frozenset()  # host folders that running containers mount, ours or not
    kept_images: frozenset[str] = frozenset()  # references that stay whether a container uses them or not

    @property
    def _prefixes(self) -> tuple[str, ...]:
        """The container prefixes of the roles that the run may touch."""
        return (*self.run.prefixes, *map(self.run.owner.prefix, self.former_roles))

    def containers(self, retain: int | None) -> Iterator[kinds.RemoveContainer]:
        """Per role the newest stopped versions are kept; a replaced container serves no rollback.

        A replica too many of the version in service goes when its version does: it would be desired again.
        """
        kept: dict[str, list[str]] = {}
        serving = {first_replica(name) for name in self.in_service}
        for old in self.stopped:
            if REPLACED_MARK in old.name:
                yield kinds.RemoveContainer(name=old.name, role=old.role, cause="was replaced")
                continue
            versions = kept.setdefault(old.role, [])
            name = first_replica(old.name)
            if name in versions or name in serving:
                continue
            if retain is None or len(versions) < retain:
                versions.append(name)
            else:
                yield kinds.RemoveContainer(name=old.name, role=old.role, cause=f"only {retain} are retained")

    def recent_images(self) -> frozenset[str]:
        """Tags that somebody else may be about to start: new ones, where another destination or service is at work.

        Its run has its lock, not ours. By the time it pulls, its env files are there. A service whose containers come
        from another repository starts none of our images.
        """
        observed, owner = self.observed, self.run.owner
        ours = {*self._prefixes, *map(owner.prefix, self.run.known_roles)}
        files = {path.rpartition("/")[2].removesuffix(".env") for path in observed.env_files}
        neighbours = [each for each in observed.containers if each.role and not owner.is_service_of(each)]
        alike = [each for each in neighbours if each.image.startswith(f"{self.run.config.repository}:")]
        others = {each.prefix for each in neighbours if each not in alike}
        if files <= ours | others and not alike:
            return frozenset()
        ages = {each.reference: observed.now - observed.image_times.get(each.id, 0) for each in observed.images}
        return frozenset(image for image, age in ages.items() if observed.now and abs(age) < RECENT_SECONDS)

    def images(self, gone: set[str]) -> Iterator[kinds.RemoveImage]:
        """Versions of the app that no container uses any more; ``latest`` is no version."""
        kept = self.kept_images | self.recent_images()
        kept |= {container.image for container in self.observed.containers if container.name not in gone}
        for reference in sorted(image.reference for image in self.observed.images):
            repository, _, tag = reference.rpartition(":")
            is_version = tag != NO_TAG and tag.split("-")[0] != "latest"
            if repository == self.run.config.repository and is_version and reference not in kept:
                yield kinds.RemoveImage(image=reference, cause="no container uses it")

    def untagged_images(self) -> tuple[kinds.RemoveUntagged, ...]:
        """Images whose tag went to a newer one, unless a container or another tag needs them."""
        images, reference = self.observed.images, f"{self.run.config.repository}:{NO_TAG}"
        used = {container.image_id for container in self.observed.containers}
        used |= {image.id for image in images if not image.reference.endswith(f":{NO_TAG}")}
        lost = [image for image in images if image.reference == reference and image.id not in used]
        cause, service = f"{len(lost)} lost the tag", self.run.owner.service
        return (kinds.RemoveUntagged(image=reference, service=service, cause=cause),) if lost else ()

    def cords(self) -> Iterator[kinds.RemoveDirectory]:
        """Cord directories of our roles that no container mounts."""
        names = "|".join(f"(?:{re.escape(prefix)})-{RUN_ID}(?:{REPLICA_MARK}[0-9]+)?" for prefix in self._prefixes)
        pattern = re.compile(names or r"(?!)")
        for path in sorted(self.observed.cords):
            if pattern.fullmatch(path.rpartition("/")[2]) and self.observed.absolute(path) not in self.mounted:
                yield kinds.RemoveDirectory(path=path, cause="no container mounts it")

    def assets(self) -> Iterator[kinds.RemoveDirectory]:
        """Asset folders of our roles that belong to no container in service."""
        kept = self.in_service | {source.rpartition("/")[2] for source in self.mounted}
        others = {other.prefix for other in self.observed.containers if other.role}
        prefixes = others.union(self._prefixes, map(self.run.owner.prefix, self.run.known_roles))
        for path in sorted(self.observed.assets):
            name = path.rpartition("/")[2]
            # ``shop-web-eu-v1`` is not role ``web``'s if there is a role ``web-eu``.
            owner = max((prefix for prefix in prefixes if name.startswith(f"{prefix}-")), key=len, default="")
            if name not in kept and owner in self._prefixes:
                yield kinds.RemoveDirectory(path=path, cause="its version is not in service")


def diff_tag(compared: Comparison) -> tuple[kinds.TagLatest, ...]:
    """``latest`` (``latest-DESTINATION``) must name the version in service: Kamal finds it by that."""
    desired, observed, run = compared.desired, compared.observed, compared.desired.run
    image_id = observed.image_id(desired.image)
    if not desired.containers or (image_id and observed.image_id(run.latest_image) == image_id):
        return ()
    return (
        kinds.TagLatest(
            image=desired.image,
            tag=run.latest_image,
            cause=f"{run.version} is in service",
            is_drift=not compared.boots and observed.record is not None and observed.record.version == run.version,
            part_of=compared.boots[0].subject if compared.boots else "",
        ),
    )


def diff_leftovers(compared: Comparison) -> tuple[kinds.Change, ...]:
    """Everything that may go, in order; in a run that does not prune, what was replaced and folders nothing mounts."""
    is_leaving = compared.desired.is_leaving
    if is_leaving and not is_former(compared):
        return ()
    former = sorted(_former_roles(compared))
    surplus = _surplus(compared, former)
    containers = tuple(_removed_containers(compared, surplus))
    gone = {change.name for change in containers}
    return (
        *containers,
        *(surplus.images(gone) if compared.desired.retain_containers is not None else ()),
        *_unused_folders(compared, surplus),
        *_unused_env_files(compared, former),
        *(_of_a_leaving_host(compared) if is_leaving else ()),
    )


def is_former(compared: Comparison) -> bool:
    """Whether a host shows by itself that the service was on it; another host may name any in its record."""
    record, owner = compared.observed.record, compared.desired.owner
    if any(owner.is_service_of(each) for each in compared.observed.containers) or diff_left_accessories(compared):
        return True
    if record is None or record.is_of_another(owner.service, owner.destination):
        return False
    return bool(record.service) or compared.desired.host in record.hosts


def _surplus(compared: Comparison, former: list[str]) -> Surplus:
    desired, observed = compared.desired, compared.observed
    wanted = frozenset(container.name for container in desired.containers)
    starting = {change.subject for change in compared.boots if isinstance(change, kinds.RestartContainer)}
    staying = starting | {each.name for each in observed.running} - compared.stopping  # ours or not
    return Surplus(
        run=desired.run,
        observed=observed,
        former_roles=() if desired.owner.roles else tuple(former),
        stopped=tuple(each for each in desired.owner.containers(observed.containers) if each.name not in wanted),
        in_service=wanted,
        mounted=frozenset(
            source for each in observed.containers if each.name in staying for source in each.mounts.values()
        ),
        kept_images=frozenset(() if desired.is_leaving else {desired.image}),
    )


def _removed_containers(compared: Comparison, surplus: Surplus) -> Iterator[kinds.RemoveContainer]:
    """What is not retained, and what steps aside in this run for a container of its name."""
    desired, cause = compared.desired, f"{compared.desired.host} is not in the config"
    for change in surplus.containers(desired.retain_containers):
        part_of = change.name if change.name in compared.stopping else ""
        yield replace(change, cause=cause, part_of=part_of) if desired.is_leaving else change
    for boot in compared.boots:
        if isinstance(boot, kinds.ReplaceContainer):
            name = naming.replaced_name(boot.subject, desired.run.replaced_suffix)
            yield kinds.RemoveContainer(name=name, role=boot.role, cause="was replaced", part_of=boot.subject)


def _unused_folders(compared: Comparison, surplus: Surplus) -> Iterator[kinds.RemoveDirectory]:
    """Folders of a container that is replaced go along with it."""
    owners = {key: stop.part_of for stop in compared.stops for key in (stop.cord, stop.name)}
    for change in surplus.cords():
        yield replace(change, part_of=owners.get(compared.observed.absolute(change.path), ""))
    for change in surplus.assets():
        yield replace(change, part_of=owners.get(change.path.rpartition("/")[2], ""))


def _unused_env_files(compared: Comparison, former: list[str]) -> Iterator[kinds.RemoveEnvFile]:
    """Of roles that were on the host and are not any more; that they were ours, a container or the record tells."""
    desired = compared.desired
    if desired.owner.roles or desired.retain_containers is None:
        return
    unwanted = compared.observed.env_files.difference(file.path for file in desired.env_files)
    for role in former:
        path = naming.role_env_file(desired.run.config, role)
        if path in unwanted:
            where = "is not on this host any more" if role in desired.run.known_roles else "is not in the config"
            yield kinds.RemoveEnvFile(path=path, role=role, cause=f"role {role} {where}")


def _former_roles(compared: Comparison) -> set[str]:
    owner, observed = compared.desired.owner, compared.observed
    current = {container.role for container in compared.desired.containers}
    known = {container.role for container in observed.containers if owner.owns(container)}
    recorded = observed.record.hosts.get(compared.desired.host, ()) if observed.record else ()
    others = {each.prefix for each in observed.containers if each.role and not owner.is_service_of(each)}
    # ``shop-web-eu`` may be role ``web-eu``, and role ``web`` of the destination ``eu``, which still needs its files.
    return {role for role in known.union(recorded) - current if owner.prefix(role) not in others}


def _of_a_leaving_host(compared: Comparison) -> Iterator[kinds.Change]:
    """The record, and the proxy unless it serves others; what else is there is not ours."""
    run, observed, cause = compared.desired.run, compared.observed, f"{compared.desired.host} is not in the config"
    proxy = observed.container(naming.PROXY_CONTAINER)
    others = (other for other in observed.containers if not run.owner.is_service_of(other))
    if proxy is not None and not foreign_proxy(observed) and not services_behind_proxy(others):
        yield kinds.RemoveProxy(name=proxy.name, cause=cause)
        env_file = naming.proxy_env_file(run.config)
        if env_file in observed.files:
            yield kinds.RemoveEnvFile(path=env_file, cause=cause)
    if observed.has_image(run.latest_image):
        yield kinds.RemoveImage(image=run.latest_image, cause=cause)
    if observed.record is not None:
        yield kinds.RemoveFile(path=naming.hosts_record(run.config), cause=cause)
        yield kinds.RemoveDirectory(path=naming.edits_directory(run.config), cause=cause)


def diff_record(compared: Comparison) -> tuple[kinds.ForgetHosts, ...]:
    """Hosts that left the configuration are in the record until they are decommissioned or forgotten."""
    run, record = compared.desired.run, compared.observed.record or Record()
    hosts = tuple(host for host in (*run.decommissioned, *run.forgotten) if host in record.hosts)
    cause = f"{', '.join(hosts)} left the config"
    change = kinds.ForgetHosts(path=naming.hosts_record(run.config), hosts=hosts, cause=cause)
    return () if compared.desired.is_leaving or not hosts else (change,)


def next_record(compared: Comparison) -> Record:
    """The record that stands on the host afterwards.

    Hosts that left the configuration stay in it until they are decommissioned or forgotten. What a run of some
    roles did not touch stays as the run before left it.
    """
    desired, run = compared.desired, compared.desired.run
    before, gone = compared.observed.record or Record(), {*run.decommissioned, *run.forgotten}
    departed = {host: roles for host, roles in before.hosts.items() if host not in gone}
    configured = {
        server.host: tuple(role.name for role in run.config.roles if server.host in role.hosts)
        for server in run.config.all_hosts
    }
    containers = {container.name: container.digest for container in desired.containers}
    env_files = {file.path: file.digest for file in desired.env_files if file.digest}
    return Record(
        version=run.version,
        hosts=departed | configured,
        containers={**(before.containers if run.roles else {}), **containers},
        env_files={**(before.env_files if run.roles or run.keeps_env else {}), **env_files},
        proxy=before.proxy if desired.proxy is None else desired.proxy.digest,
        service=run.config.service,
        destination=run.config.destination or "",
    )
