"""kp plan, deploy, redeploy, rollback, setup and apply: observe, plan, build, roll out.

What follows the snapshots is loaded while hosts are observed.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.local.hooks import require_executable
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.engine import load_meanwhile
from kamal_pyinfra.runner.session import Session, interruptible

if TYPE_CHECKING:
    from kamal_pyinfra.plan.output.file import PlanFile
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.runner.progress.report import Report

PLANNING = ("kamal_pyinfra.plan.output.file", "kamal_pyinfra.plan.output.text")
ROLLOUT = ("kamal_pyinfra.runner.rollout", "kamal_pyinfra.plan.output.text", "kamal_pyinfra.runner.progress.timeline")


def plan(run: Run, hosts: Collection[str]) -> tuple[Plan, PlanFile]:
    """Plan what a deploy would change; return the plan, and the file that ``kp apply`` can roll out."""
    _require_secrets(run)
    with interruptible(), Session(run, hosts) as session:
        load_meanwhile(PLANNING)
        observed = session.observe()

        from kamal_pyinfra.plan.output.file import plan_file
        from kamal_pyinfra.plan.plan import make_plan

        made = make_plan(run, observed, session.left_out)
        return made, plan_file(run, made, observed)


def find_departed(run: Run, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Find hosts, with their roles, that left the configuration and that the records on the hosts remember.

    Any host can name any other: who asked has to confirm them before they are connected to.
    """
    from kamal_pyinfra.plan.plan import former_hosts
    from kamal_pyinfra.runner.queries.observe import observe

    return former_hosts(run, observe(run, hosts))


def deploy(run: Run, hosts: Collection[str], report: Report, file: PlanFile | None = None) -> Plan:
    """Make the fleet what the configuration asks for; return the plan that was rolled out.

    With a file its plan is rolled out, if it would still be the plan today, also once the lock is held.
    """
    _require_secrets(run)
    require_executable(run)
    began = time.monotonic()
    with interruptible(), Session(run, hosts, report) as session:
        load_meanwhile(ROLLOUT, operates=True)
        made = _make(session, file)

        from kamal_pyinfra.runner.rollout import roll_out

        roll_out(made, session, began=began, check=partial(_make, session, file) if file is not None else None)
    return made


def _make(session: Session, file: PlanFile | None) -> Plan:
    observed = session.observe()
    if file is None:
        from kamal_pyinfra.plan.plan import make_plan

        return make_plan(session.run, observed, session.left_out)

    from kamal_pyinfra.plan.output.file import require_same_plan, require_unchanged

    require_unchanged(file, observed)
    return require_same_plan(file, session.run, observed)


def _require_secrets(run: Run) -> None:
    if not run.keeps_env:
        require_secrets(run.config)
    if run.behaviour.boots_accessories:
        run.config.require_accessory_files(run.config.accessories)
