"""Plan lines inside pyinfra's own prepare stage, so that ``--dry`` says what ``kp plan`` says."""

from __future__ import annotations

from collections.abc import Iterable

from kamal_pyinfra.operations.observation import current_host, current_state
from kamal_pyinfra.plan.changes.change import Change
from kamal_pyinfra.plan.output.text import change_line


def announce(changes: Iterable[Change]) -> None:
    """Print a line for each change while pyinfra prepares; silent when it executes."""
    if current_state().is_executing:
        return
    for change in changes:
        current_host().log(change_line(change))
