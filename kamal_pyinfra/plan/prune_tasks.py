"""``kp prune``: what nobody needs beside what is in service now, whatever version that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.desired import owner_of
from kamal_pyinfra.plan.host_task import HostTask, silent_docker
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.owner import Owner
from kamal_pyinfra.plan.remaining import (
    Remaining,
    newest_first,
    recent_images,
    surplus_containers,
    untagged_images,
    unused_assets,
    unused_cords,
    unused_images,
)
from kamal_pyinfra.plan.run import Run


def containers(run: Run, observed: ObservedHost, *, retain: int) -> HostTask:
    """Stopped containers beyond those retained, and folders that no container needs.

    Args:
        run: the configuration and the run's fixed values.
        observed: the host as it is.
        retain: how many stopped containers stay of each role.
    """
    remaining = _remaining(run, observed)
    surplus = tuple(surplus_containers(remaining, retain))
    folders = (*unused_cords(remaining, observed), *unused_assets(remaining, observed))
    return HostTask(changes=(*surplus, *folders), refusals=silent_docker(observed))


def images(run: Run, observed: ObservedHost) -> HostTask:
    """Versions that no container uses, and images that lost their tag."""
    changes = _images(run, observed, gone=set())
    return HostTask(changes=changes, notes=_spared(run, observed, gone=set()), refusals=silent_docker(observed))


def everything(run: Run, observed: ObservedHost, *, retain: int) -> HostTask:
    """Containers, the images that only these used, and folders."""
    remaining = _remaining(run, observed)
    surplus = tuple(surplus_containers(remaining, retain))
    gone = {change.name for change in surplus}
    changes = (
        *surplus,
        *_images(run, observed, gone=gone),
        *unused_cords(remaining, observed),
        *unused_assets(remaining, observed),
    )
    return HostTask(changes=changes, notes=_spared(run, observed, gone=gone), refusals=silent_docker(observed))


def _spared(run: Run, observed: ObservedHost, gone: set[str]) -> tuple[str, ...]:
    """Images that would go if no other destination or service might be about to start them."""
    remaining = _remaining(run, observed)
    forgetful = replace(observed, now=0.0)
    going = {change.image for change in unused_images(remaining, forgetful, gone)}
    spared = sorted(going & recent_images(remaining, observed))
    return tuple(f"{image} stays: it is new, and others on the host may be about to start it" for image in spared)


def _images(run: Run, observed: ObservedHost, gone: set[str]) -> tuple[Change, ...]:
    remaining = _remaining(run, observed)
    return (*unused_images(remaining, observed, gone), *untagged_images(remaining, observed))


def _remaining(run: Run, observed: ObservedHost) -> Remaining:
    config, owner = run.config, owner_of(run)
    serving = tuple(_in_service(owner, observed))
    running = (each for each in observed.containers if each.is_running)
    return Remaining(
        owner=owner,
        repository=config.repository,
        prefixes=tuple(naming.container_prefix(config, role.name) for role in config.roles if run.includes(role.name)),
        known_roles=tuple(role.name for role in config.roles),
        stopped=newest_first(each for each in observed.containers if owner.owns(each) and not each.is_running),
        in_service=frozenset(each.name for each in serving),
        mounted=frozenset(source for each in (*running, *serving) for source in each.mounts.values()),
    )


def _in_service(owner: Owner, observed: ObservedHost) -> Iterator[ObservedContainer]:
    """What runs; of a role that is stopped as a whole, the containers of the version that ran last."""
    running = owner.running(observed.containers)
    yield from running
    last = {each.role: "" for each in running}
    for each in newest_first(observed.containers):
        if owner.owns(each) and naming.REPLACED_MARK not in each.name:
            first = naming.first_replica(each.name)
            if last.setdefault(each.role, first) == first:
                yield each
