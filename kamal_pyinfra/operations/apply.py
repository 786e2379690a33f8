"""One table from each kind of change to what makes it; the operation that makes those of a task or of a phase."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.config.model import stop_seconds
from kamal_pyinfra.operations import accessory, host, image, proxy
from kamal_pyinfra.operations.audit import Audits, audited, is_needed, show_planned
from kamal_pyinfra.operations.run_state import current_host, current_state, observe, run_state
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.proxy import started_gates
from kamal_pyinfra.plan.plan import Decide, TaskDecision
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.tasks.remove import diff_purged, others_on
from kamal_pyinfra.shell import container, drain, rollout
from kamal_pyinfra.shell import host as host_commands
from kamal_pyinfra.shell import image as image_commands
from kamal_pyinfra.shell.script import chain, guarded

GRACE_SECONDS = 60
"""Added to the sum of the waits inside a script, for Docker's own work."""
REMOVE_SECONDS = 300

KINDS_OWN: Audits = {}
Made = Iterable[str | PyinfraCommand]
Make = Callable[[Run, Sequence[Change], Audits], Made]
Kind = TypeVar("Kind", bound=Change)
AUDITS: Audits = {
    kinds.RemoveContainer: "Pruned containers",
    kinds.RemoveImage: "Pruned images",
    kinds.RemoveUntagged: "Pruned images",
    kinds.StopContainer: "Stopped app",
}
"""What the audit log has of a kind unless the task has its own line; of other kinds what makes them writes it, if any
is written."""


def each(make: Callable[[Run, Any], Made]) -> Make:
    """What makes changes one by one."""

    def commands(run: Run, changes: Sequence[Change], _: Audits) -> Iterator[str | PyinfraCommand]:
        for change in changes:
            yield from make(run, change)

    return commands


@operation()
def applied(
    run: Run,
    decide: Decide,
    kinds: Sequence[type[Change]] = (),
    audits: Audits = KINDS_OWN,
    is_observed: bool = True,
) -> Generator[str | PyinfraCommand, None, None]:
    """The changes that were decided on for the host are made, in their order.

    + kinds: only those of these kinds; all without.
    + audits: the line of the audit log for a kind, in place of its own.
    + is_observed: whether the decision depends on what is on the host; otherwise no snapshot is taken.
    """
    decision = decided(run, decide) if is_observed else decide(run, ObservedHost(host=current_host().name))
    changes = [change for change in decision.changes if not kinds or type(change) in kinds]
    show_planned(changes)
    if is_needed(changes, otherwise="it is so already"):
        for make, neighbours in groupby(changes, key=lambda change: APPLY[type(change)]):
            yield from make(run, tuple(neighbours), audits)


def decided(run: Run, decide: Decide) -> TaskDecision:
    """What a task decides for the current host; once for each snapshot, however many operations ask."""
    name, observed = current_host().name, observe(run)
    known = run_state(current_state()).decided
    last = known.get(name)
    if last is None or last[0] is not observed or last[1] is not decide:
        known[name] = last = (observed, decide, decide(run, observed))
    return last[2]


def comparison(run: Run) -> Comparison:
    """The current host as it should be and as it is; raises as :func:`observe` does."""
    return Comparison(desired_host(run, current_host().name), observe(run))


def may_change(run: Run, diff: Callable[[Comparison], Collection[Change]]) -> bool:
    """Whether an operation by this diff may change the current host: so it may where no snapshot was taken before."""
    host = current_host().name
    known = run_state(current_state()).snapshots.get((host, True))
    return known is None or bool(diff(Comparison(desired_host(run, host), known)))


def differing(diff: Callable[[Comparison], Iterable[Change]]) -> Decide:
    """The decision of a phase: all that a diff finds."""
    return lambda run, observed: TaskDecision(
        changes=tuple(diff(Comparison(desired_host(run, observed.host), observed)))
    )


@operation()
def purged(run: Run) -> Generator[str, None, None]:
    """No audit log; and no folder, unless something of another service is on the host."""
    observed = observe(run)
    changes = diff_purged(run, observed)
    show_planned(changes)
    is_alone = not any(container.service for container in others_on(run, observed))
    script = chain(
        host_commands.remove_files(tuple(change.path for change in changes)),
        host_commands.remove_empty_directories(run.config.run_directory) if is_alone else "",
    )
    if is_needed(script, otherwise="nothing is left"):
        yield script


def removal(run: Run, changes: Sequence[Change], audits: Audits = KINDS_OWN) -> list[str]:
    """One command that removes containers, images, files, folders and left proxies; each by its name."""
    containers, env_files = _of(changes, kinds.RemoveContainer), _of(changes, kinds.RemoveEnvFile)
    images = [change for change in changes if isinstance(change, kinds.RemoveImage | kinds.RemoveUntagged)]
    tags = tuple(change.image for change in _of(images, kinds.RemoveImage))
    running = [change.name for change in containers if change.is_running]
    proxies = [change.name for change in _of(changes, kinds.RemoveProxy)]
    files = tuple(change.path for change in _of(changes, kinds.RemoveFile) if change not in env_files)
    seconds = stop_seconds(run.config)
    script = chain(
        container.stop(*running, timeout=seconds) if running else "",
        container.remove(*(change.name for change in containers)) if containers else "",
        *_audits(run, containers, audits),
        image_commands.remove(tags) if tags else "",
        *(image_commands.remove_untagged(change.service) for change in _of(images, kinds.RemoveUntagged)),
        *_audits(run, images, audits),
        host_commands.remove_files(tuple(change.path for change in env_files)),
        *_audits(run, env_files, audits),
        host_commands.remove_directories(tuple(change.path for change in _of(changes, kinds.RemoveDirectory))),
        host_commands.remove_files(files),
        chain(container.stop(*proxies), container.remove(*proxies)) if proxies else "",
    )
    return [guarded(script, seconds=REMOVE_SECONDS + (seconds or 0 if running else 0))] if script else []


def _of(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    return [change for change in changes if isinstance(change, kind)]


def _audits(run: Run, changes: Sequence[Change], audits: Audits) -> list[str]:
    """The words of a task are written for each role, those of a kind once."""
    kind = type(changes[0]) if changes else Change
    if kind in audits:
        return [audited(run, audits[kind], role) for role in dict.fromkeys(change.role for change in changes)]
    return [audited(run, AUDITS[kind])] if kind in AUDITS else []


def _started(run: Run, changes: Sequence[Change], audits: Audits) -> list[str]:
    """The containers that are there run, are healthy and are served."""
    starts = _of(changes, kinds.StartContainer)
    lines = [audited(run, f"Started app version {change.version}", change.role) for change in starts]
    waits = sum(change.deadline + change.readiness_delay for change in starts)
    script = rollout.start_and_await(starts, lines, started_gates({change.name for change in starts}, observe(run)))
    return [guarded(script, seconds=waits + GRACE_SECONDS, key="deploy_timeout")]


def _stopped(run: Run, changes: Sequence[Change], audits: Audits) -> list[str]:
    """Containers do not run; no request is lost on a host where another one serves.

    One that does not leave traffic in time is stopped all the same, and then the host has failed.
    """
    stops = _of(changes, kinds.StopContainer)
    waits = sum(change.drain_timeout for change in stops) + max((change.stop_timeout or 10) for change in stops)
    script = drain.drain(stops, then=chain(drain.stop(stops), *_audits(run, stops, audits)))
    return [guarded(script, seconds=waits + GRACE_SECONDS, key="drain_timeout")]


APPLY: Mapping[type[Change], Make] = {
    kinds.InstallDocker: each(host.install),
    kinds.CreateDirectories: each(host.make_directories),
    kinds.WriteEnvFile: host.write_env_files,
    kinds.LogIn: each(image.log_in),
    kinds.LogOut: each(lambda run, change: [image_commands.log_out(run.config.registry.server)]),
    kinds.PullImage: each(image.pull),
    kinds.RemoveContainer: removal,
    kinds.RemoveImage: removal,
    kinds.RemoveUntagged: removal,
    kinds.RemoveEnvFile: removal,
    kinds.RemoveFile: removal,
    kinds.RemoveDirectory: removal,
    kinds.StartContainer: _started,
    kinds.StopContainer: _stopped,
    kinds.RunProxy: each(proxy.run_or_replace),
    kinds.RebootProxy: each(proxy.reboot),
    kinds.SwitchProxy: each(proxy.switch),
    kinds.RemoveProxy: proxy.remove,
    kinds.RemoveProxyImage: proxy.remove,
    kinds.RemoveProxyEnvFile: proxy.remove,
    kinds.BootAccessory: each(accessory.boot),
    kinds.UploadFiles: each(lambda run, change: accessory.written(change.uploads)),
    kinds.SwitchAccessory: each(accessory.switch),
    kinds.RemoveAccessory: each(accessory.remove),
}
"""Every kind of change that a task can decide on; a deploy makes the others in phases of their own."""
