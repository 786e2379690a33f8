"""What follows a plan: build, roll out, tell how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.runner.build import build
from kamal_pyinfra.runner.locked import clear_left_behind
from kamal_pyinfra.runner.outcome import outcome_noted
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.rollout import BOOT_ONLY, Rollout
from kamal_pyinfra.runner.session import Session


def carry_out(
    found: Plan, session: Session, report: Report, *, began: float, check: Callable[[], object] | None = None
) -> None:
    """Build what the plan says, roll it out, and tell how it went.

    Args:
        found: the plan.
        session: connected to the hosts that take part.
        report: told about everything on the way.
        began: when the command did, by the monotonic clock.
        check: called once the lock is held; see :class:`Rollout`.

    Raises:
        KpError: whatever stopped it; see :func:`kamal_pyinfra.runner.deploy.deploy`.
    """
    report.planned(found)
    if session.run.is_dry:
        return
    if found.is_empty:
        clear_left_behind(session)
        return
    session.add_callback(Progress(report))
    rollout = Rollout(session, report, check=check)
    if found.build is not None:
        build(session.run, report)
    rollout.noted = partial(outcome_noted, session, found, began)
    rollout.carry_out()
    if session.run.command != BOOT_ONLY:
        rollout.steps.hook("post-deploy", runtime=time.monotonic() - began)
    for host in session.left_out:
        begun = f", and may run {session.run.version} beside what it ran before" if host in rollout.begun else ""
        report.warned(f"{host} was left out{begun}.")
    report.finished(time.monotonic() - began)
