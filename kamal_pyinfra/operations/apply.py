"""One table from each kind of change to what makes it; the operation that makes those of a task or of a phase."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.config.model import stop_seconds
from kamal_pyinfra.operations import accessory, host, image, proxy
from kamal_pyinfra.operations.audit import Audits, audited, show_planned
from kamal_pyinfra.operations.run_state import current_host, current_state, observe, run_state
from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.changes import (
    Change,
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
    RemoveProxy,
    RemoveUntagged,
    StartContainer,
    StopContainer,
)
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.proxy import started_gates
from kamal_pyinfra.plan.plan import Decide, TaskDecision
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.plan.tasks.remove import diff_purged, others_on
from kamal_pyinfra.shell import drain, rollout
from kamal_pyinfra.shell import image as image_commands
from kamal_pyinfra.shell.container import remove, stop
from kamal_pyinfra.shell.host import remove_directories, remove_empty_directories, remove_files
from kamal_pyinfra.shell.script import chain, guarded

GRACE_SECONDS = 60
"""Added to the sum of the waits inside a script, for Docker's own work."""
REMOVE_SECONDS = 300

KINDS_OWN: Audits = {}
Commands = Callable[[Run, Sequence[Change], Audits], Iterable[PyinfraCommand]]
Kind = TypeVar("Kind", bound=Change)


@dataclass(frozen=True)
class Applied:
    """How changes of a kind are made."""

    commands: Commands  # what makes neighbours that are made the same way
    # the line of the audit log once it is done, unless the task has its own; empty if there is none, or if there is
    # more than one, which the commands write
    audit: str = ""


def each(make: Callable[[Run, Any], Iterable[PyinfraCommand]]) -> Applied:
    """Changes that are made one by one."""

    def commands(run: Run, changes: Sequence[Change], _: Audits) -> Iterator[PyinfraCommand]:
        for change in changes:
            yield from make(run, change)

    return Applied(commands)


@operation()
def applied(
    run: Run,
    decide: Decide,
    kinds: Sequence[type[Change]] = (),
    audits: Audits = KINDS_OWN,
    is_observed: bool = True,
) -> Generator[PyinfraCommand, None, None]:
    """The changes that were decided on for the host are made, in their order.

    + kinds: only those of these kinds; all without.
    + audits: the line of the audit log for a kind, in place of its own.
    + is_observed: whether the decision depends on what is on the host; otherwise no snapshot is taken.
    """
    decision = decided(run, decide) if is_observed else decide(run, ObservedHost(host=current_host().name))
    changes = [change for change in decision.changes if not kinds or type(change) in kinds]
    if not changes:
        current_host().noop("it is so already")
        return
    show_planned(changes)
    for commands, neighbours in groupby(changes, key=lambda change: APPLY[type(change)].commands):
        yield from commands(run, tuple(neighbours), audits)


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
    """Whether an operation that decides by this diff may have to do something on the current host.

    Where no snapshot was taken for it beforehand, only the operation itself can tell.
    """
    host = current_host().name
    known = run_state(current_state()).snapshots.get((host, True))
    return known is None or bool(diff(Comparison(desired_host(run, host), known)))


def differing(diff: Callable[[Comparison], Iterable[Change]]) -> Decide:
    """The decision of a phase: all that a diff finds."""

    def decide(run: Run, observed: ObservedHost) -> TaskDecision:
        return TaskDecision(changes=tuple(diff(Comparison(desired_host(run, observed.host), observed))))

    return decide


@operation()
def purged(run: Run) -> Generator[StringCommand, None, None]:
    """No audit log; and no folder, unless something of another service is on the host."""
    observed = observe(run)
    changes = diff_purged(run, observed)
    show_planned(changes)
    is_alone = not any(each.service for each in others_on(run, observed))
    script = chain(
        remove_files(tuple(change.path for change in changes)),
        remove_empty_directories(run.config.run_directory) if is_alone else "",
    )
    if not script:
        current_host().noop("nothing is left")
        return
    yield StringCommand(script)


def removal(run: Run, changes: Sequence[Change], audits: Audits = KINDS_OWN) -> str:
    """What removes containers, images, files, folders and left proxies; each by its name."""
    show_planned(changes)
    return _removal(run, changes, audits)


def _removal(run: Run, changes: Sequence[Change], audits: Audits) -> str:
    containers, env_files = _of(changes, RemoveContainer), _of(changes, RemoveEnvFile)
    images = [change for change in changes if isinstance(change, RemoveImage | RemoveUntagged)]
    tags = tuple(change.image for change in _of(images, RemoveImage))
    running = [change.name for change in containers if change.is_running]
    proxies = [change.name for change in _of(changes, RemoveProxy)]
    seconds = stop_seconds(run.config)
    script = chain(
        stop(*running, timeout=seconds) if running else "",
        remove(*(change.name for change in containers)) if containers else "",
        *_audits(run, containers, audits),
        image_commands.remove(tags) if tags else "",
        *(image_commands.remove_untagged(change.service) for change in _of(images, RemoveUntagged)),
        *_audits(run, images, audits),
        remove_files(tuple(change.path for change in env_files)),
        *_audits(run, env_files, audits),
        remove_directories(tuple(change.path for change in _of(changes, RemoveDirectory))),
        remove_files(tuple(change.path for change in _of(changes, RemoveFile) if change not in env_files)),
        chain(stop(*proxies), remove(*proxies)) if proxies else "",
    )
    return guarded(script, seconds=REMOVE_SECONDS + (seconds or 0 if running else 0)) if script else ""


def _of(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    return [change for change in changes if isinstance(change, kind)]


def _audits(run: Run, changes: Sequence[Change], audits: Audits) -> list[str]:
    """The words of a task are written for each role, those of a kind once."""
    if not changes:
        return []
    kind = type(changes[0])
    if kind in audits:
        return [audited(run, audits[kind], role) for role in dict.fromkeys(change.role for change in changes)]
    return [audited(run, APPLY[kind].audit)] if APPLY[kind].audit else []


def _removed(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[StringCommand]:
    yield StringCommand(_removal(run, changes, audits))


def _started(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[StringCommand]:
    """The containers that are there run, are healthy and are served."""
    starts = _of(changes, StartContainer)
    lines = [audited(run, f"Started app version {change.version}", change.role) for change in starts]
    waits = sum(change.deadline + change.readiness_delay for change in starts)
    gates = started_gates({change.name for change in starts}, observe(run))
    script = rollout.start_and_await(starts, lines, gates)
    yield StringCommand(guarded(script, seconds=waits + GRACE_SECONDS, key="deploy_timeout"))


def _stopped(run: Run, changes: Sequence[Change], audits: Audits) -> Iterator[StringCommand]:
    """Containers do not run; no request is lost on a host where another one serves.

    One that does not leave traffic in time is stopped all the same, and then the host has failed.
    """
    stops = _of(changes, StopContainer)
    waits = sum(change.drain_timeout for change in stops) + max((change.stop_timeout or 10) for change in stops)
    script = drain.drain(stops, then=chain(drain.stop(stops), *_audits(run, stops, audits)))
    yield StringCommand(guarded(script, seconds=waits + GRACE_SECONDS, key="drain_timeout"))


APPLY: Mapping[type[Change], Applied] = {
    kinds.InstallDocker: Applied(host.install),
    kinds.CreateDirectories: each(host.make_directories),
    kinds.CreateEnvFile: Applied(host.write_env_files),
    kinds.WriteEnvFile: Applied(host.write_env_files),
    kinds.ProtectEnvFile: Applied(host.write_env_files),
    kinds.LogIn: Applied(image.log_in),
    kinds.LogOut: Applied(image.log_out),
    kinds.PullImage: Applied(image.pull),
    kinds.RemoveContainer: Applied(_removed, "Pruned containers"),
    kinds.RemoveImage: Applied(_removed, "Pruned images"),
    kinds.RemoveUntagged: Applied(_removed, "Pruned images"),
    kinds.RemoveEnvFile: Applied(_removed),
    kinds.RemoveFile: Applied(_removed),
    kinds.RemoveDirectory: Applied(_removed),
    kinds.StartContainer: Applied(_started),
    kinds.StopContainer: Applied(_stopped, "Stopped app"),
    kinds.RunProxy: each(proxy.run_or_replace),
    kinds.StartProxy: each(proxy.run_or_replace),
    kinds.ReplaceProxy: each(proxy.run_or_replace),
    kinds.RebootProxy: each(proxy.reboot),
    kinds.SwitchProxy: each(proxy.switch),
    kinds.RemoveProxy: Applied(proxy.remove),
    kinds.RemoveProxyImage: Applied(proxy.remove),
    kinds.RemoveProxyEnvFile: Applied(proxy.remove),
    kinds.BootAccessory: each(accessory.boot),
    kinds.RebootAccessory: each(accessory.boot),
    kinds.CreateAccessoryDirectories: each(accessory.make_directories),
    kinds.UploadFiles: each(accessory.upload),
    kinds.SwitchAccessory: each(accessory.switch),
    kinds.RemoveAccessory: each(accessory.remove),
}
"""Every kind of change that a task can decide on; a deploy makes the others in phases of their own."""
