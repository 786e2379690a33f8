"""``kp prune``: containers, images and folders beyond those that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import Change, RemoveDirectory
from kamal_pyinfra.plan.diff.leftovers import (
    Surplus,
    recent_images,
    surplus_containers,
    untagged_images,
    unused_assets,
    unused_cords,
    unused_images,
)
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Owner


def containers(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Stopped containers beyond those retained of each role, and folders that no container needs."""
    surplus = _surplus(run, observed)
    changes = (*surplus_containers(surplus, retain), *_folders(surplus, observed))
    return TaskDecision(changes=changes, refusals=docker_errors(observed))


def images(run: Run, observed: ObservedHost) -> TaskDecision:
    """Versions that no container uses, and images that lost their tag."""
    surplus = _surplus(run, observed)
    changes = tuple(_prunable_images(surplus, observed, gone=set()))
    return TaskDecision(changes=changes, notes=_spared(surplus, observed, gone=set()), refusals=docker_errors(observed))


def everything(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Containers, the images that only these used, and folders."""
    surplus = _surplus(run, observed)
    removals = tuple(surplus_containers(surplus, retain))
    gone = {change.name for change in removals}
    changes = (*removals, *_prunable_images(surplus, observed, gone=gone), *_folders(surplus, observed))
    return TaskDecision(changes=changes, notes=_spared(surplus, observed, gone=gone), refusals=docker_errors(observed))


def _folders(surplus: Surplus, observed: ObservedHost) -> tuple[RemoveDirectory, ...]:
    return (*unused_cords(surplus, observed), *unused_assets(surplus, observed))


def _prunable_images(surplus: Surplus, observed: ObservedHost, gone: set[str]) -> tuple[Change, ...]:
    return (*unused_images(surplus, observed, gone), *untagged_images(surplus, observed))


def _spared(surplus: Surplus, observed: ObservedHost, gone: set[str]) -> tuple[str, ...]:
    """Images that would go if no other destination or service might be about to start them."""
    timeless = replace(observed, now=0.0)
    going = {change.image for change in unused_images(surplus, timeless, gone)}
    spared = sorted(going & recent_images(surplus, observed))
    return tuple(f"{image} stays: it is new, and others on the host may be about to start it" for image in spared)


def _surplus(run: Run, observed: ObservedHost) -> Surplus:
    owner = run.owner
    serving = tuple(_in_service(owner, observed))
    return Surplus(
        run=run,
        owner=owner,
        stopped=tuple(each for each in owner.containers(observed.containers) if not each.is_running),
        in_service=frozenset(each.name for each in serving),
        mounted=frozenset(source for each in (*observed.running, *serving) for source in each.mounts.values()),
    )


def _in_service(owner: Owner, observed: ObservedHost) -> Iterator[ObservedContainer]:
    """What runs; of a role that is stopped as a whole, the containers of the version that ran last."""
    running = owner.running(observed.containers)
    yield from running
    last = {each.role: "" for each in running}
    for each in owner.containers(observed.containers):
        first = naming.first_replica(each.name)
        if naming.REPLACED_MARK not in each.name and last.setdefault(each.role, first) == first:
            yield each
