"""Time between two batches of hosts."""

from __future__ import annotations

import time
from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.operations.lock import keeper
from kamal_pyinfra.operations.observation import current_host
from kamal_pyinfra.plan.run import Run


@operation(is_idempotent=False)
def kept(run: Run, seconds: int) -> Generator[FunctionCommand, None, None]:
    """Some seconds pass, once for all hosts.

    + run: the run's fixed values.
    + seconds: how long; 0 for not at all.
    """
    if seconds == 0 or current_host().name != keeper(run):
        current_host().noop("no pause")
        return
    yield FunctionCommand(_sleep, (seconds,), {})


def _sleep(state: State, host: Host, seconds: int) -> None:
    time.sleep(seconds)
