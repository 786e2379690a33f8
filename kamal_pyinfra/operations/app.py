"""App containers booted, gated, drained, watched, stopped; how they are reverted; leftovers removed."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api import State, StringCommand, operation

from kamal_pyinfra import naming
from kamal_pyinfra.operations.apply import GRACE_SECONDS, comparison, removal
from kamal_pyinfra.operations.audit import audited, is_needed, show_planned
from kamal_pyinfra.operations.run_state import current_host, current_state, observe, run_state
from kamal_pyinfra.plan.changes import BootContainer, StopContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import diff_leftovers, diff_record, diff_tag, next_record
from kamal_pyinfra.plan.diff.proxy import boot_gates, replaced_proxy
from kamal_pyinfra.plan.fleet_state import ENDED, SWITCHED
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import record_text
from kamal_pyinfra.shell import drain, image, rollout
from kamal_pyinfra.shell.app import run_release, sync_assets
from kamal_pyinfra.shell.host import measured, record_edits, write_secret
from kamal_pyinfra.shell.proxy.container import RESTORE_SECONDS
from kamal_pyinfra.shell.proxy.traefik import await_served
from kamal_pyinfra.shell.script import chain, group, guarded, in_parallel, with_functions

SYNC_SECONDS = 600
WATCH_GRACE_SECONDS = 30
DOCKERS_STOP_SECONDS = 10


@operation()
def synced(run: Run) -> Generator[str, None, None]:
    """The new version's assets are extracted, and both versions can serve both versions' files."""
    changes = comparison(run).assets()
    show_planned(changes)
    if is_needed(changes, otherwise="no assets to sync"):
        script = chain(*(sync_assets(change.assets, change.image, change.old_containers) for change in changes))
        yield guarded(script, seconds=SYNC_SECONDS)


@operation()
def released(run: Run) -> Generator[str, None, None]:
    """The release command of the new version has run."""
    changes = comparison(run).release()
    show_planned(changes)
    is_needed(changes, otherwise="it runs on one host, and only when that boots a new container")
    for change in changes:
        audit = audited(run, f"Ran release command of version {run.version}", change.role)
        # The shell outside waits for the one inside to clean up and to print why, and does not end before it.
        script = f"trap : TERM\n( {run_release(change.release)}\n) && {audit}"
        yield guarded(script, seconds=change.release.timeout, key="release.timeout")


@operation()
def booted(run: Run, primary: bool, batch: Sequence[str]) -> Generator[str, None, None]:
    """The run's version runs and is healthy, beside whatever served before; on other hosts nothing happens.

    While the other roles boot on some hosts, the proxies of all take up the new containers that get requests; where
    there are no other roles, that is waited for at once.

    + primary: boot the primary role's container, or those of all other roles.
    """
    compared = comparison(run) if current_host().name in batch else None
    boots = compared.boots if compared else ()
    changes = [change for change in boots if change.container.is_primary == primary]
    is_last = primary == all(role.is_primary for role in run.config.roles)
    routed = boot_gates(boots, compared) if compared and is_last else ()
    if not is_needed(changes or routed, otherwise="the containers serve already") or compared is None:
        return
    show_planned(changes)
    script = chain(drain.stand_by(compared.stops), _boot_and_serve(run, changes, routed))
    waits = sum(change.container.deadline + change.container.readiness_delay for change in changes)
    waits += sum(change.container.stop_timeout or DOCKERS_STOP_SECONDS for change in changes if change.stops_first)
    if current_state().is_executing:
        run_state(current_state()).booting_on.add(current_host().name)
    yield guarded(script, seconds=waits + GRACE_SECONDS, key="deploy_timeout")


def _boots(run: Run, batch: Sequence[str]) -> tuple[BootContainer, ...]:
    return comparison(run).boots if current_host().name in batch else ()


def _boot_and_serve(run: Run, changes: Sequence[BootContainer], routed: Sequence[Gate]) -> str:
    """The proxy is asked for containers that were booted before while these boot, and for these themselves after it."""
    now = {change.container.name for change in changes}
    audits = [audited(run, f"Booted app version {run.version}", change.role) for change in changes]
    names, engine = {"run_id": run.short_id, "suffix": run.replaced_suffix}, observe(run).docker.version
    booting = rollout.boot(changes, **names, audits=audits, engine=engine) if changes else ""
    script = chain(booting, await_served([gate for gate in routed if gate.container in now]))
    before = await_served([gate for gate in routed if gate.container not in now])
    return in_parallel(before, script) if before and script else before or script


@operation()
def gated(run: Run, batch: Sequence[str]) -> Generator[str, None, None]:
    """The new containers are still healthy now that those of all hosts are."""
    changes = _boots(run, batch)
    if is_needed(changes, otherwise="nothing was booted on this host"):
        yield guarded(rollout.gate(changes), seconds=GRACE_SECONDS)


@operation()
def drained(run: Run, batch: Sequence[str], finishes: bool = False) -> Generator[StringCommand, None, None]:
    """No request goes to an old container any more; it is stopped too, unless the new version is watched first.

    One that does not leave traffic in time is stopped in any case; the rest is done, and then the host has failed.

    + finishes: no other batch can revert this one any more, so each host does at once what ends the run there.
    """
    if current_state().is_executing:
        run_state(current_state()).switched.update(batch)
    else:
        finishes = False  # the last phase shows what it will do
    compared = comparison(run) if current_host().name in batch else None
    if not is_needed(compared and (compared.boots or compared.stops), otherwise="nothing to drain") or compared is None:
        return
    changes, is_watched = compared.stops, run.config.boot.watch is not None
    stops = () if is_watched else changes
    show_planned(stops)
    stop = drain.stop(stops)
    marking, typed = _mark_in_service(run, compared) if finishes else ("", "")
    then = in_parallel(stop, marking) if stop and marking else stop or marking
    seconds = sum(change.drain_timeout for change in changes) + _stop_seconds(changes) + GRACE_SECONDS
    script = drain.drain(changes, meanwhile=_record_edits(run, compared), then=then)
    script = guarded(script, seconds=seconds, key="drain_timeout")
    if finishes or not is_watched:
        cleaning = _clean(run, compared) if finishes else ""
        script = drain.ending(script, cleaning, forced=ENDED if finishes else SWITCHED)
    yield StringCommand(script, _stdin=typed)
    if finishes:
        run_state(current_state()).finished.add(current_host().name)


def _record_edits(run: Run, compared: Comparison) -> str:
    """The command that records edited files of every container that runs once this run is over."""
    others = (each for each in compared.observed.running if run.owner.is_service_of(each))
    names = [container.name for container in compared.desired.containers]
    names += [each.name for each in others if not run.includes(each.role)]
    return record_edits(naming.edits_directory(run.config), names)


def _stop_seconds(changes: Sequence[StopContainer]) -> int:
    """They stop at once, so the slowest one counts; without a setting Docker gives each ten seconds."""
    return max((change.stop_timeout or DOCKERS_STOP_SECONDS for change in changes), default=0)


@operation()
def watched(run: Run, batch: Sequence[str], seconds: int) -> Generator[str, None, None]:
    """The new containers keep well for some seconds, beside the old ones; else those are let back into traffic."""
    if current_state().is_executing:
        run_state(current_state()).watching = frozenset(batch)
    setting = run.config.boot.watch
    boots = _boots(run, batch)
    if setting and is_needed(boots, otherwise="nothing new is to be watched"):
        cords = [stop.cord for stop in comparison(run).stops if stop.cord]
        script = rollout.watch(boots, cords, seconds=seconds, cmd=setting.cmd, url=setting.url)
        yield guarded(script, seconds=seconds + WATCH_GRACE_SECONDS)


def turned_bad(state: State) -> bool:
    """Whether a host has printed that its new version must go; another failure is none of the version."""
    return any(
        rollout.TURNED_BAD in line
        for host in state.failed_hosts
        for data in state.ops[host].values()
        if data.operation_meta.is_complete() and not data.operation_meta.did_succeed()
        for line in data.operation_meta.stderr_lines
    )


@operation()
def stopped(run: Run, batch: Sequence[str]) -> Generator[str, None, None]:
    """Old containers that were watched until now are stopped, and stay on the host for a rollback."""
    changes = comparison(run).stops if current_host().name in batch else ()
    show_planned(changes)
    if is_needed(changes, otherwise="no old container runs"):
        seconds = _stop_seconds(changes) + GRACE_SECONDS
        yield guarded(drain.stop(changes), seconds=seconds, key="drain_timeout")


@operation()
def finished(run: Run) -> Generator[StringCommand, None, None]:
    """``latest`` names the version in service, the record is of this run, and nothing is left over."""
    compared = comparison(run)
    marking, typed = _mark_in_service(run, compared)
    script = chain(with_functions(marking), _clean(run, compared))
    if is_needed(script, otherwise="the version in service is marked, and nothing is left over"):
        yield StringCommand(script, _stdin=typed)


def _mark_in_service(run: Run, compared: Comparison) -> tuple[str, str]:
    """What makes ``latest`` name the version in service, and records this run.

    Returns:
        The command, empty if that is so already, and its standard input: the record holds digests of env files, so it
        is written like one, with mode 0600.
    """
    tags, record = diff_tag(compared), next_record(compared)
    is_recorded = compared.desired.is_leaving or record == compared.observed.record
    if not tags and is_recorded:
        return "", ""
    show_planned((*tags, *diff_record(compared)))
    script = chain(
        *(image.tag(change.image, change.tag) for change in tags),
        *(audited(run, f"Tagging {change.image} as the latest image") for change in tags),
        "" if is_recorded else write_secret(naming.hosts_record(run.config)),
        # Where containers come or go, edited files are recorded while that is waited for.
        "" if compared.boots or compared.stops else _record_edits(run, compared),
    )
    return script, "" if is_recorded else measured(record_text(record))


def _clean(run: Run, compared: Comparison) -> str:
    """What removes leftovers, and the old proxy that stood aside until now; empty if there is nothing."""
    leftovers = diff_leftovers(compared)
    show_planned(leftovers)
    return chain(*removal(run, leftovers), group("clear_aside") if replaced_proxy(compared) else "")


def revert_command(run: Run, *, has_booted: bool) -> str:
    """What brings the host back to before the run, with containers if ``has_booted``; empty if nothing has begun."""
    # What was begun was decided on the snapshot of the execution, wherever the engine stopped.
    name = current_host().name
    observed = run_state(current_state()).snapshots.get((name, True)) or observe(run)
    compared = Comparison(desired_host(run, name), observed)
    boots, stops = (compared.boots, compared.stops) if has_booted else ((), ())
    proxy = replaced_proxy(compared)
    if not boots and not stops and proxy is None:
        return ""
    script = rollout.revert(boots, stops, run_id=run.short_id, suffix=run.replaced_suffix, proxy=proxy)
    waits = sum(change.drain_timeout for change in stops) + 30 * len(boots) + (RESTORE_SECONDS if proxy else 0)
    return guarded(script, seconds=waits + GRACE_SECONDS)
