"""One thing done on hosts: connect, lock, run one deploy function, unlock. What most commands are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.locked import locked, what_is_done_stays
from kamal_pyinfra.runner.progress import Progress
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible
from kamal_pyinfra.runner.steps import Steps


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a command does on its hosts.

    Args:
        name: what the report and an error call it.
        deploy: a function of ``kamal_pyinfra.deploys``.
        arguments: for that function, besides the run.
        is_locked: whether the deploy lock is held meanwhile.
        state: what an error says of the fleet.
    """

    name: str
    deploy: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_locked: bool = True
    state: str = "The other hosts are through."


def act(run: Run, hosts: Collection[str], report: Report, task: Task) -> None:
    """Run one deploy function on hosts; each host goes on when another fails.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts that take part.
        report: told about it.
        task: what to do.

    Raises:
        LockHeld: somebody else is deploying. HookFailed: a hook failed. HostFailed: a host could not be
        reached, or failed. Interrupted: a signal came.
    """
    with interruptible(), Session(run, hosts, report) as session:
        session.add_callback(Progress(report))
        session.require_hosts()
        steps = Steps(session, report)
        with locked(steps) if task.is_locked else what_is_done_stays():
            if not steps.phase(task.name, task.deploy, is_strict=False, arguments=dict(task.arguments)):
                steps.fail(task.state)
