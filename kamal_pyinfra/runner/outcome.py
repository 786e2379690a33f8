"""How a deploy ended, for the audit log; written when its lock is given back, in the same command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from kamal_pyinfra.errors import Interrupted
from kamal_pyinfra.insight.history import FAILED, FINISHED, INTERRUPTED, deploy_message
from kamal_pyinfra.operations.run_state import underway
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.runner.session import Session


@contextmanager
def outcome_noted(session: Session, plan: Plan, began: float) -> Iterator[None]:
    """Note what becomes of what is done inside.

    Args:
        session: of the deploy.
        plan: what it is to change.
        began: when it began, by the monotonic clock.
    """
    result = INTERRUPTED
    try:
        yield
        result = FINISHED
    except Exception as error:
        result = INTERRUPTED if isinstance(error, Interrupted) else FAILED
        raise
    finally:
        underway(session.state).outcome = deploy_message(
            result, plan, seconds=time.monotonic() - began, where=_where(session) if result == FAILED else ""
        )


def _where(session: Session) -> str:
    """``boot on 192.0.2.11``; empty if no host failed."""
    failures = tuple(session.failures.values())
    return f"{failures[0].phase} on {', '.join(each.host for each in failures[:3])}" if failures else ""
