"""The plan inside a pyinfra run: observe every host, refuse what must not be done, build what is missing."""

from __future__ import annotations

import time
from collections.abc import Generator

from pyinfra.api import FunctionCommand, Host, State, operation

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.insight.history import FINISHED, deploy_message
from kamal_pyinfra.local.build import build_and_push
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.operations.apply import comparison, decided
from kamal_pyinfra.operations.audit import is_needed
from kamal_pyinfra.operations.hook import succeeds
from kamal_pyinfra.operations.lock import lock_host
from kamal_pyinfra.operations.run_state import current_host, current_state, run_state
from kamal_pyinfra.plan.plan import Decide, Plan, make_plan, reasons_against
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.script import quoted


@operation()
def accepted(run: Run) -> Generator[str, None, None]:
    """The host was observed, and what the configuration asks for can be done there."""
    refusals = reasons_against(comparison(run))
    if is_needed(refusals, otherwise="nothing speaks against the plan"):
        yield f"printf '%s\\n' {quoted(*refusals, PlanRefused.state)} >&2; exit 1"


@operation()
def allowed(run: Run, decide: Decide) -> Generator[str, None, None]:
    """Nothing on the host speaks against what a command that is no deploy changes there."""
    refusals = decided(run, decide).refusals
    if is_needed(refusals, otherwise="nothing speaks against it"):
        yield f"printf '%s\\n' {quoted(*refusals, PlanRefused.state)} >&2; exit 1"


def _plan(run: Run) -> Plan:
    state = current_state()
    known = run_state(state).snapshots.items()
    return make_plan(run, {host: snapshot for (host, stage), snapshot in known if stage is state.is_executing})


def has_changes(run: Run) -> bool:
    """Whether anything is to be done on any host that was observed; what it is, is kept for the history."""
    plan, ours = _plan(run), run_state(current_state())

    def ends(result: str = FINISHED, where: str = "") -> str:
        return deploy_message(result, plan, seconds=time.monotonic() - ours.began, where=where)

    ours.ends = ends
    return not plan.is_empty


@operation()
def image_built(run: Run) -> Generator[FunctionCommand, None, None]:
    """The version is in the registry: built and pushed from this machine if a host is without it."""
    if is_needed(current_host().name == lock_host(run) and _plan(run).build, otherwise="the image is there"):
        yield FunctionCommand(_build, (run,), {})


def _build(state: State, host: Host, run: Run) -> bool:
    programs = Programs(warn=lambda text: host.log_styled(text, fg="yellow"), running=run_state(state).running)
    return succeeds(host, lambda: build_and_push(run, programs))
