"""Asset folders of the versions that serve."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.changes.containers import SyncAssets
from kamal_pyinfra.plan.diff.host import diff_assets
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import app as commands
from kamal_pyinfra.shell.script import both, chain, guarded

SYNC_SECONDS = 600


@operation()
def synced(run: Run) -> Generator[StringCommand, None, None]:
    """The new version's assets are extracted, and both versions can serve both versions' files.

    + run: the run's fixed values.
    """
    changes = [change for change in diff_assets(*look(run)) if isinstance(change, SyncAssets)]
    if not changes:
        current_host().noop("no assets to sync")
        return
    announce(changes)
    yield StringCommand(guarded(commands.FUNCTIONS + chain(*map(_sync, changes)), seconds=SYNC_SECONDS))


def _sync(change: SyncAssets) -> str:
    sync = commands.sync(change.assets, change.old_containers)
    return chain(commands.extract(change.assets, change.image), both(commands.remove_helper(change.assets), sync))
