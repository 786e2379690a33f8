"""``kp prune``: containers, images and folders beyond those that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.plan.diff.leftovers import Surplus
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Owner


def containers(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Stopped containers beyond those retained of each role, and folders that no container needs."""
    surplus = _surplus(run, observed)
    changes = (*surplus.containers(retain), *surplus.cords(), *surplus.assets())
    return TaskDecision(changes=changes, refusals=docker_errors(observed))


def images(run: Run, observed: ObservedHost) -> TaskDecision:
    """Versions that no container uses, and images that lost their tag."""
    return _images(_surplus(run, observed), gone=set())


def everything(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Containers, the images that only these used, and folders."""
    surplus = _surplus(run, observed)
    removals = tuple(surplus.containers(retain))
    decision = _images(surplus, gone={change.name for change in removals})
    return replace(decision, changes=(*removals, *decision.changes, *surplus.cords(), *surplus.assets()))


def _images(surplus: Surplus, *, gone: set[str]) -> TaskDecision:
    """Images without container once some are gone; a note has those that others might be about to start."""
    timeless = replace(surplus, observed=replace(surplus.observed, now=0.0))
    spared = sorted({change.image for change in timeless.images(gone)} & surplus.recent_images())
    return TaskDecision(
        changes=(*surplus.images(gone), *surplus.untagged_images()),
        notes=tuple(f"{image} stays: it is new, and others on the host may be about to start it" for image in spared),
        refusals=docker_errors(surplus.observed),
    )


def _surplus(run: Run, observed: ObservedHost) -> Surplus:
    serving = tuple(_in_service(run.owner, observed))
    return Surplus(
        run=run,
        observed=observed,
        stopped=tuple(each for each in run.owner.containers(observed.containers) if not each.is_running),
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
