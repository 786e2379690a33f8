"""Whether what was seen before the lock was taken still holds, so that no second look is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pyinfra.api.state import State

from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.operations.run_state import forget, remember
from kamal_pyinfra.shell.lock import TAKEN, answer, tells

if TYPE_CHECKING:
    from kamal_pyinfra.runner.session import Session

SECONDS = 10
"""A look is not trusted for longer: things change without a lock too."""


def is_unmoved(session: Session) -> bool:
    """Whether nobody took or gave back a lock between the last look and this run's own lock, taken just now."""
    primary = session.run.config.primary_host
    looked = session.looks.get(primary)
    if looked is None:
        return False
    marked = (answer(_last_output(session.state, primary), TAKEN) or "").strip()
    return tells(marked) and marked == looked.lock_mark


def keep_or_forget(session: Session, *, is_unmoved: bool) -> None:
    """Let the coming phases decide on the looks that the plan was made from, or look again.

    Args:
        session: holds the lock.
        is_unmoved: what :func:`is_unmoved` said.
    """
    is_young = time.monotonic() - session.looked_at < SECONDS
    forget(session.state)
    if is_unmoved and is_young and not session.run.is_setup and not has_hook(session.run, "pre-deploy"):
        remember(session.state, session.looks)


def _last_output(state: State, host: str) -> list[str]:
    """What the operations of the last round printed on a host, on standard output."""
    found = state.inventory.get_host(host)
    metas = (data.operation_meta for data in state.ops[found].values())
    return [line for meta in metas if meta.is_complete() for line in meta.stdout_lines]
