"""What a run writes down on every host for the next one."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from kamal_pyinfra.commands import files
from kamal_pyinfra.operations.observation import current_host, look
from kamal_pyinfra.plan.next_record import next_record
from kamal_pyinfra.plan.record import record_text
from kamal_pyinfra.plan.run import Run


@operation()
def written(run: Run) -> Generator[StringCommand, None, None]:
    """The record on the host is of this run.

    + run: the run's fixed values.

    It holds digests of env files, so it is written like one: on standard input, mode 0600.
    """
    desired, observed = look(run)
    record = next_record(run, desired, observed)
    if desired.is_leaving or record == observed.record:
        current_host().noop("the record is up to date")
        return
    yield StringCommand(files.write_secret(desired.record), _stdin=f"{record_text(record)}\n")
