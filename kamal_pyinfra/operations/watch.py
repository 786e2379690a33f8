"""The new version kept under watch after the switch."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.operations.observation import current_host, current_state, look
from kamal_pyinfra.operations.underway import underway
from kamal_pyinfra.plan.changes.containers import AwaitContainer, RestartContainer
from kamal_pyinfra.plan.diff.host import diff_containers, diff_old_containers
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.script import guarded
from kamal_pyinfra.shell.watch import TURNED_BAD, Watched, watch

GRACE_SECONDS = 30


@operation()
def watched(run: Run, batch: Sequence[str], seconds: int) -> Generator[StringCommand, None, None]:
    """The new containers keep well for a while, beside the old ones; else those are let back into traffic.

    + run: the run's fixed values.
    + batch: the batch; on other hosts nothing happens.
    + seconds: how long.
    """
    if current_state().is_executing:
        underway(current_state()).watching = frozenset(batch)
    setting = run.config.boot.watch
    containers, cords = _on_watch(run) if current_host().name in batch else ([], [])
    if setting is None or not containers:
        current_host().noop("nothing new is to be watched")
        return
    script = watch(containers, cords, seconds=seconds, cmd=setting.cmd, url=setting.url)
    yield StringCommand(guarded(script, seconds=seconds + GRACE_SECONDS))


def _on_watch(run: Run) -> tuple[list[Watched], list[str]]:
    """What this run booted, and the cords of what ran there before."""
    desired, observed = look(run)
    containers = [
        Watched(
            name=boot.container.name,
            has_run=isinstance(boot, AwaitContainer | RestartContainer),
            log_lines=boot.container.log_lines,
            is_probed=boot.container.is_primary,
        )
        for boot in diff_containers(desired, observed)
    ]
    return containers, [stop.cord for stop in diff_old_containers(desired, observed) if stop.cord]


def turned_bad(state: State) -> bool:
    """Whether a host has said that its new version must go; another failure says nothing against the version."""
    return any(
        TURNED_BAD in line
        for host in state.failed_hosts
        for data in state.ops[host].values()
        if data.operation_meta.is_complete() and not data.operation_meta.did_succeed()
        for line in data.operation_meta.stderr_lines
    )
