"""observe → plan → **lock → prepare → boot → GATE → switch → (watch → retire) → finish → unlock**.

Every phase calls the same operations on every host; each operation decides for itself that there is nothing
to do. pyinfra finishes an operation on all hosts before the next one begins, so the end of a phase is a
barrier: after ``boot`` every container of the batch is healthy, or the run stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from kamal_pyinfra.operations import accessory as accessories
from kamal_pyinfra.operations import app, image, proxy
from kamal_pyinfra.operations import app as assets
from kamal_pyinfra.operations import app as releases
from kamal_pyinfra.operations import app as watching
from kamal_pyinfra.operations import host as docker
from kamal_pyinfra.operations import host as files
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations.finish import finished
from kamal_pyinfra.operations.run_state import current_host, current_state, may_need, underway
from kamal_pyinfra.plan.diff.accessory import diff_missing_accessories
from kamal_pyinfra.plan.diff.app import diff_assets
from kamal_pyinfra.plan.diff.host import diff_directories, diff_docker, diff_env_files, diff_images, diff_login
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.run import Run


@deploy("Lock")
def lock(run: Run) -> None:
    """Take the deploy lock on the primary host."""
    locks.held(run=run, name="Take the deploy lock")


@deploy("Bootstrap")
def bootstrap(run: Run) -> None:
    """Docker on a new host, before the hook ``docker-setup``."""
    docker.installed(run=run, name="Have Docker")


@deploy("Prepare")
def prepare(run: Run) -> None:
    """Everything that a new container needs; what serves is not touched.

    The engine's own work for an operation counts, also where there is nothing to do, which is often known before.
    """
    if may_need(run, diff_docker):
        docker.installed(run=run, name="Have Docker")
    if may_need(run, diff_directories):
        files.directories(run=run, name="Create folders")
    if may_need(run, diff_env_files):
        files.env_files(run=run, name="Write env files")
    if may_need(run, diff_login):
        image.logged_in(run=run, name="Log in to the registry")
    if may_need(run, diff_missing_accessories):
        accessories.booted(run=run, name="Boot accessories")
    if may_need(run, diff_images):
        image.present(run=run, name="Pull the image")
    if may_need(run, diff_proxy):
        proxy.running(run=run, name="Run the proxy")
    if may_need(run, diff_assets):
        assets.synced(run=run, name="Sync assets")


@deploy("Pull")
def pull(run: Run) -> None:
    """The image alone."""
    docker.installed(run=run, name="Have Docker")
    files.directories(run=run, name="Create folders")
    image.logged_in(run=run, name="Log in to the registry")
    image.present(run=run, name="Pull the image")


@deploy("Release")
def release(run: Run) -> None:
    """Run the release command once, before anything boots."""
    releases.released(run=run, name="Run the release command")


@deploy("Boot")
def boot(run: Run, batch: Sequence[str]) -> None:
    """Start the new containers of a batch, wait until they are healthy and served; other roles after the primary."""
    app.booted(run=run, primary=True, batch=batch, name="Boot the primary role")
    app.booted(run=run, primary=False, batch=batch, name="Boot the other roles, await the proxy")
    app.gated(run=run, batch=batch, name="Pass the gate")


@deploy("Switch")
def switch(run: Run, batch: Sequence[str], finishes: bool = False) -> None:
    """Take a batch's old containers out of traffic and stop them, unless the new version is watched first."""
    app.drained(run=run, batch=batch, finishes=finishes, name="Drain the old version")


@deploy("Watch")
def watch(run: Run, batch: Sequence[str], seconds: int) -> None:
    """See whether a batch's new containers keep well, while the old ones can still come back."""
    watching.watched(run=run, batch=batch, seconds=seconds, name="Watch the new version")


@deploy("Retire")
def retire(run: Run, batch: Sequence[str]) -> None:
    """Stop a batch's old containers that were kept while the new version was watched."""
    app.stopped(run=run, batch=batch, name="Stop the old version")


@deploy("Revert")
def revert(run: Run, batch: Sequence[str]) -> None:
    """Bring the old version back on the given hosts and take the new one away."""
    app.reverted(run=run, batch=batch, name="Bring the old version back")


@deploy("Finish")
def finish(run: Run) -> None:
    """Mark the version in service and remove what nobody needs."""
    if current_host().name not in underway(current_state()).finished:
        finished(run=run, name="Mark the version in service, remove leftovers", _if=is_under_way)


def is_under_way() -> bool:
    """Whether there was anything to do; asked when pyinfra executes."""
    return underway(current_state()).is_locked


@deploy("Unlock")
def unlock(run: Run) -> None:
    """Give the deploy lock back."""
    locks.released(run=run, name="Release the deploy lock")
