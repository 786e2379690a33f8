"""kp plan, deploy, redeploy, rollback and setup: observe, plan, build, roll out."""

from __future__ import annotations

import time
from collections.abc import Collection

from kamal_pyinfra.operations.local_build import build_and_push
from kamal_pyinfra.operations.local_hook import require_executable
from kamal_pyinfra.plan.fleet import Plan, make_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.rollout import Rollout
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.steps import Steps


def plan(run: Run, hosts: Collection[str]) -> Plan:
    """Look at the fleet and say what a deploy would change.

    Raises:
        HookFailed: ``pre-connect`` failed. HostFailed: a host could not be reached or looked at.
        PlanRefused: the plan must not be carried out.
    """
    run.config.require_secrets()
    with interruptible(), Session(run, hosts) as session:
        return _observe_and_plan(session)


def deploy(run: Run, hosts: Collection[str], report: Report) -> Plan:
    """Make the fleet what the configuration says.

    Args:
        run: the configuration, the version and the run's fixed values.
        hosts: names of the hosts that take part.
        report: told about everything on the way.

    Returns:
        The plan that was carried out.

    Raises:
        ConfigError: a secret is missing. BuildFailed: the image could not be built. LockHeld: somebody else is
            deploying. HookFailed: a hook failed. HostFailed: a host failed. PlanRefused: the plan must not be carried
            out. Interrupted: a signal came.
    """
    began = time.monotonic()
    run.config.require_secrets()
    require_executable(run)
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        fleet_plan = _observe_and_plan(session)
        report.planned(fleet_plan)
        if fleet_plan.is_empty:
            return fleet_plan
        if fleet_plan.build is not None:
            report.phase_began("build", [])
            build_and_push(run, report.output)
            report.phase_ended("build", succeeded=True)
        Rollout(session, report).carry_out()
        Steps(session, report).hook("post-deploy", runtime=time.monotonic() - began)
        report.finished(time.monotonic() - began)
        return fleet_plan


def _observe_and_plan(session: Session) -> Plan:
    return make_plan(session.run, session.observe())
