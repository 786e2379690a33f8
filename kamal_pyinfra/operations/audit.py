"""Audit lines, plan lines under ``--dry``, and the answer of an operation that has nothing to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kamal_pyinfra import naming
from kamal_pyinfra.operations.run_state import current_host, current_state
from kamal_pyinfra.plan.changes import Change
from kamal_pyinfra.plan.output.text import change_line
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell import host as commands

Audits = Mapping[type[Change], str]
"""The line of the audit log for a kind of change, where the task decides it: one for each role (Kamal 1.9)."""


def audited(run: Run, message: str, role: str = "") -> str:
    """The command that writes one line; joined to what it reports, so that it costs no round trip."""
    return commands.line(
        message,
        log=naming.audit_log(run.config),
        at=run.started_at,
        performer=run.performer,
        destination=run.config.destination or "",
        role=role,
    )


def show_planned(changes: Iterable[Change]) -> None:
    """Print a line for each change while pyinfra prepares; silent when it executes."""
    for change in changes if not current_state().is_executing else ():
        current_host().log(change_line(change))


def is_needed(what: object, *, otherwise: str) -> bool:
    """Whether an operation has anything to do on the current host; else pyinfra gets the reason."""
    if not what:
        current_host().noop(otherwise)
    return bool(what)
