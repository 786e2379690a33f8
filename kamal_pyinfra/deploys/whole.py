"""All phases in a row, for pyinfra's own command line; ``kp`` drives them as rounds."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from kamal_pyinfra.deploys import phases
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations import pause, plan
from kamal_pyinfra.operations.observation import current_host, current_state
from kamal_pyinfra.plan.run import Run


@deploy("Deploy")
def roll_out(run: Run) -> None:
    """observe → build → lock → prepare → (boot → GATE → switch → retire) per batch → finish → unlock.

    With nothing to change the lock is not taken. The condition is asked when pyinfra executes, not before.
    """
    plan.accepted(run=run, name="Look at the host")
    plan.image_built(run=run, name="Build and push the image")
    locks.held(run=run, name="Take the deploy lock", _if=lambda: plan.has_changes(run))
    phases.prepare(run=run)
    all_batches = batches(run)
    for batch in current_host().loop(all_batches):
        phases.boot(run=run, batch=batch)
        phases.switch(run=run, batch=batch)
        phases.retire(run=run, batch=batch)
        seconds = 0 if batch == all_batches[-1] else run.config.boot.pause
        pause.kept(run=run, seconds=seconds, name="Wait between batches", _if=phases.is_under_way)
    phases.finish(run=run)
    locks.released(run=run, name="Release the deploy lock", _if=phases.is_under_way)


def batches(run: Run) -> list[tuple[str, ...]]:
    """The hosts of this run in the order of the configuration, ``boot.limit`` at a time."""
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return run.batches(host for host in run.hosts if host in taking_part)
