"""The release command: once per deploy, on one host."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.announce import announce
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.diff.host import diff_release
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import app as release
from kamal_pyinfra.shell.script import chain, guarded


@operation()
def released(run: Run) -> Generator[StringCommand, None, None]:
    """The release command of the new version has run.

    + run: the run's fixed values.
    """
    changes = diff_release(*look(run))
    if not changes:
        current_host().noop("it runs on one host, and only when that boots a new container")
        return
    announce(changes)
    for change in changes:
        audit = audited(run, f"Ran release command of version {run.version}", change.role)
        # The shell outside waits for the one inside to clean up and to tell why, and does not end before it.
        script = f"trap : TERM\n( {release.run_release(change.release)}\n) && {chain(audit)}"
        yield StringCommand(guarded(script, seconds=change.release.timeout, key="release.timeout"))
