"""The end of a run on a host: its version is marked as the one in service, and what nobody needs goes."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.operations.leftovers import removal
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.operations.record import mark
from kamal_pyinfra.plan.diff.host import diff_leftovers
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.script import chain


@operation()
def finished(run: Run) -> Generator[StringCommand, None, None]:
    """``latest`` names the version in service, the record is of this run, and nothing is left over.

    + run: the run's fixed values.
    """
    desired, observed = look(run)
    marking, typed = mark(run, desired, observed)
    script = chain(marking, removal(run, diff_leftovers(desired, observed)))
    if not script:
        current_host().noop("the version in service is marked, and nothing is left over")
        return
    yield StringCommand(script, _stdin=typed)
