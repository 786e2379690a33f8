"""The plan inside a pyinfra run: observe every host, refuse what must not be done, build what is missing."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import partial

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from kamal_pyinfra.errors import BuildFailed, HookFailed, PlanRefused
from kamal_pyinfra.insight.history import FINISHED, deploy_message
from kamal_pyinfra.local.build import build_and_push
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.operations.apply import comparison, decided
from kamal_pyinfra.operations.lock import lock_host
from kamal_pyinfra.operations.run_state import current_host, current_snapshots, current_state, run_state
from kamal_pyinfra.plan.plan import Decide, Plan, make_plan, refuse
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.script import quoted


@operation()
def accepted(run: Run) -> Generator[StringCommand, None, None]:
    """The host was observed, and what the configuration asks for can be done there."""
    try:
        refuse([comparison(run)])
    except PlanRefused as refusal:
        yield StringCommand(f"printf '%s\\n' {quoted(str(refusal), refusal.state)} >&2; exit 1")
        return
    current_host().noop("nothing speaks against the plan")


@operation()
def allowed(run: Run, decide: Decide) -> Generator[StringCommand, None, None]:
    """Nothing on the host speaks against what a command that is no deploy changes there."""
    refusals = decided(run, decide).refusals
    if not refusals:
        current_host().noop("nothing speaks against it")
        return
    yield StringCommand(f"printf '%s\\n' {quoted(*refusals, PlanRefused.state)} >&2; exit 1")


def has_changes(run: Run) -> bool:
    """Whether anything is to be done on any host that was observed; what it is, is kept for the history."""
    found = make_plan(run, current_snapshots(current_state()))
    record = run_state(current_state())
    record.know_plan(partial(_outcome, found, record.began))
    return not found.is_empty


def _outcome(plan: Plan, began: float, *, result: str = FINISHED, where: str = "") -> str:
    return deploy_message(result, plan, seconds=time.monotonic() - began, where=where)


@operation()
def image_built(run: Run) -> Generator[FunctionCommand, None, None]:
    """The version is in the registry: built and pushed from this machine if a host is without it."""
    if current_host().name != lock_host(run) or make_plan(run, current_snapshots(current_state())).build is None:
        current_host().noop("the image is there")
        return
    yield FunctionCommand(_build, (run,), {})


def _build(state: State, host: Host, run: Run) -> bool:
    programs = Programs(warn=lambda text: host.log_styled(text, fg="yellow"), running=run_state(state).running)
    try:
        build_and_push(run, programs)
    except (BuildFailed, HookFailed) as failure:
        host.log_styled(str(failure), fg="red")
        return False
    return True
