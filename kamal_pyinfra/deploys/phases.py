"""The phases of a deploy, their order, and what becomes of the run when one fails.

Both front doors walk :func:`steps`: `kp` in ``runner/rollout.py``, a round of pyinfra for each step, and
`pyinfra … deploys/deploy.py` in ``deploys/pyinfra_cli/rollout.py``, all steps as one deploy of pyinfra's. pyinfra
finishes an operation on all hosts before the next one begins: after ``boot`` every container of the batch is healthy,
or the run stops. Differences of the doors are listed in ``docs/use/pyinfra.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import app, host
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations.apply import applied, differing, may_change
from kamal_pyinfra.operations.run_state import current_host, current_state, run_state
from kamal_pyinfra.plan import fleet_state
from kamal_pyinfra.plan.diff.accessory import diff_missing_accessories
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_directories, diff_docker, diff_env_files, diff_images, diff_login
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.run import Run


@deploy("Build")
def build(run: Run) -> None:
    """Have the image in the registry; `kp`, which shows the build, does it itself."""
    from kamal_pyinfra.operations.plan import image_built  # noqa: PLC0415 - with all that builds, which kp does not need

    image_built(run=run, name="Build and push the image")


@deploy("Lock")
def lock(run: Run, on_wait: Callable[[str], object] | None = None) -> None:
    """Take the deploy lock on the primary host, as soon as it is free if the run may wait for it."""
    locks.held(run=run, on_wait=on_wait, name="Take the deploy lock")


@deploy("Bootstrap")
def bootstrap(run: Run) -> None:
    """Docker on a new host, before the hook ``docker-setup``."""
    host.installed(run=run, name="Have Docker")


@deploy("Prepare")
def prepare(run: Run) -> None:
    """Everything that a new container needs; what serves is not touched.

    The engine's own work for an operation counts, also where there is nothing to do, which is often known before.
    """
    if may_change(run, diff_docker):
        host.installed(run=run, name="Have Docker")
    if may_change(run, diff_directories):
        applied(run=run, decide=differing(diff_directories), name="Create folders")
    if may_change(run, diff_env_files):
        applied(run=run, decide=differing(diff_env_files), name="Write env files")
    if may_change(run, diff_login):
        applied(run=run, decide=differing(diff_login), name="Log in to the registry")
    if may_change(run, diff_missing_accessories):
        applied(run=run, decide=differing(diff_missing_accessories), name="Boot accessories")
    if may_change(run, diff_images):
        applied(run=run, decide=differing(diff_images), name="Pull the image")
    if may_change(run, diff_proxy):
        applied(run=run, decide=differing(diff_proxy), name="Run the proxy")
    if may_change(run, Comparison.assets):
        app.synced(run=run, name="Sync assets")


@deploy("Pull")
def pull(run: Run) -> None:
    """The image alone, for ``kp build pull``."""
    host.installed(run=run, name="Have Docker")
    applied(run=run, decide=differing(diff_directories), name="Create folders")
    applied(run=run, decide=differing(diff_login), name="Log in to the registry")
    applied(run=run, decide=differing(diff_images), name="Pull the image")


@deploy("Release")
def release(run: Run) -> None:
    """Run the release command once, before anything boots."""
    app.released(run=run, name="Run the release command")


@deploy("Boot")
def boot(run: Run, batch: Sequence[str]) -> None:
    """Start the new containers of a batch, wait until they are healthy and served; other roles after the primary."""
    app.booted(run=run, primary=True, batch=batch, name="Boot the primary role")
    app.booted(run=run, primary=False, batch=batch, name="Boot the other roles, await the proxy")
    app.gated(run=run, batch=batch, name="Pass the gate")


@deploy("Switch")
def switch(run: Run, batch: Sequence[str], finishes: bool) -> None:
    """Take a batch's old containers out of traffic and stop them, unless the new version is watched first."""
    app.drained(run=run, batch=batch, finishes=finishes, name="Drain the old version")


@deploy("Watch")
def watch(run: Run, batch: Sequence[str], seconds: int) -> None:
    """Watch whether a batch's new containers stay healthy, while the old ones can still come back."""
    app.watched(run=run, batch=batch, seconds=seconds, name="Watch the new version")


@deploy("Retire")
def retire(run: Run, batch: Sequence[str]) -> None:
    """Stop a batch's old containers that were kept while the new version was watched."""
    app.stopped(run=run, batch=batch, name="Stop the old version")


@deploy("Finish")
def finish(run: Run) -> None:
    """Mark the version in service and remove leftovers, where the switch has not done so."""
    if current_host().name not in run_state(current_state()).finished:
        app.finished(run=run, name="Mark the version in service, remove leftovers", _if=_is_unfinished)


@deploy("Unlock")
def unlock(run: Run) -> None:
    """Give the deploy lock back."""
    locks.released(run=run, name="Release the deploy lock")


def has_lock() -> bool:
    """Whether there was anything to do; called when pyinfra executes."""
    return run_state(current_state()).is_locked


def _is_unfinished() -> bool:
    """The same, on a host that was not finished with the switch."""
    return has_lock() and current_host().name not in run_state(current_state()).finished


class Failure(Enum):
    """What becomes of a run when a host fails in a phase."""

    STOPS = auto()
    LEAVES_OUT = auto()
    """As above; but with ``--skip-unreachable`` the run goes on without a host that cannot be reached any more."""
    GOES_ON = auto()
    """The other hosts go on, and the run fails at its end: the new version serves already."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase of a rollout."""

    deploy: Callable[..., object]
    failure: Failure = Failure.STOPS  # what becomes of the run when a host fails
    state: str = ""  # what is known of the fleet then, if nothing is in doubt
    reverts: bool = False  # whether what was begun is reverted then; ``deploys/revert.py`` decides on which hosts

    @property
    def name(self) -> str:
        """``boot``, for events and messages."""
        return str(getattr(self.deploy, "_inner", self.deploy).__name__)


BUILD = Phase(deploy=build)
LOCK = Phase(deploy=lock)
BOOTSTRAP = Phase(deploy=bootstrap, state=fleet_state.UNSWITCHED)
PREPARE = Phase(deploy=prepare, failure=Failure.LEAVES_OUT, state=fleet_state.UNSWITCHED, reverts=True)
RELEASE = Phase(deploy=release, state=fleet_state.UNBOOTED, reverts=True)
BOOT = Phase(deploy=boot, failure=Failure.LEAVES_OUT, reverts=True)
SWITCH = Phase(deploy=switch, failure=Failure.GOES_ON)
WATCH = Phase(deploy=watch, failure=Failure.GOES_ON, reverts=True)
RETIRE = Phase(deploy=retire, failure=Failure.GOES_ON)
FINISH = Phase(deploy=finish, failure=Failure.GOES_ON)
UNLOCK = Phase(deploy=unlock)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a rollout: a phase, a hook on this machine, or a pause."""

    phase: Phase | None = None
    hook: str = ""
    pause: int = 0  # seconds
    batch: tuple[str, ...] = ()  # the hosts that it is about; empty for all
    number: int = 0  # of the batch, counted from 1, ``of`` so many
    of: int = 0
    # arguments of the phase, besides the run, for each time that it is done
    rounds: tuple[dict[str, Any], ...] = field(default=({},))


def steps(run: Run, hosts: Callable[[], Sequence[str]]) -> Iterator[Step]:
    """The whole rollout, in its order: nothing that serves stops before its successor is healthy.

    Args:
        hosts: returns names of the hosts that still take part; called again where the next steps depend on them.
    """
    yield Step(phase=BUILD)
    yield Step(phase=LOCK)
    if run.is_setup:
        yield Step(phase=BOOTSTRAP)
        yield Step(hook="docker-setup")
    if run.behaviour.calls_deploy_hooks:
        yield Step(hook="pre-deploy")
    yield Step(phase=PREPARE)
    if run.release_host in hosts():
        yield Step(phase=RELEASE)
    batches = run.batches(hosts())
    for number, batch in enumerate(batches, start=1):
        yield from _batch_steps(run, batch, number, len(batches))
    yield Step(phase=FINISH)
    yield Step(phase=UNLOCK)
    if run.behaviour.calls_deploy_hooks:
        yield Step(hook="post-deploy")


def _batch_steps(run: Run, batch: tuple[str, ...], number: int, of: int) -> Iterator[Step]:
    """One batch: the new version beside the old one, the gate, the switch, and the old one goes."""
    boot, of_batch = run.config.boot, {"batch": batch}
    # Where no batch can revert another one, each host does at once what ends the run there.
    switching = {**of_batch, "finishes": of == 1 and boot.watch is None}
    yield Step(phase=BOOT, batch=batch, number=number, of=of, rounds=(of_batch,))
    yield Step(phase=SWITCH, batch=batch, rounds=(switching,))
    if boot.watch is not None:
        slices = tuple({**of_batch, "seconds": each} for each in boot.watch_slices)
        yield Step(phase=WATCH, batch=batch, rounds=slices)
        yield Step(phase=RETIRE, batch=batch, rounds=(of_batch,))
    if number < of and boot.pause:
        yield Step(pause=boot.pause)
