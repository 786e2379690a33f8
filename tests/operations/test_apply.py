"""Every kind of change is made by the table or in a phase of a deploy, and decided no oftener than needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from kamal_pyinfra.deploys.tasks import run_steps
from kamal_pyinfra.operations.apply import APPLY
from kamal_pyinfra.plan.changes import (
    AccessoryChange,
    AwaitContainer,
    BootContainer,
    BuildImage,
    Change,
    ForgetHosts,
    ReplaceContainer,
    RestartContainer,
    RunRelease,
    SyncAssets,
    TagLatest,
)
from kamal_pyinfra.plan.tasks.table import TASKS
from tests.operations.conftest import HOSTS, fresh

IN_PHASES = {
    *(BuildImage, SyncAssets, RunRelease),
    *(BootContainer, ReplaceContainer, RestartContainer, AwaitContainer),
    *(TagLatest, ForgetHosts),
}
ABSTRACT = {AccessoryChange}


def every_kind(kind: type[Change] = Change) -> set[type[Change]]:
    return {sub for each in kind.__subclasses__() for sub in {each, *every_kind(each)}}


def test_every_kind_of_change_is_in_the_table_or_in_a_phase() -> None:
    assert set(APPLY).isdisjoint(IN_PHASES)
    assert set(APPLY) | IN_PHASES | ABSTRACT == every_kind()


def test_every_step_of_a_task_makes_kinds_of_the_table() -> None:
    for command, task in TASKS.items():
        kinds = [kind for step in task.steps for kind in step.kinds]
        assert set(kinds) <= set(APPLY), command
        assert len(kinds) == len(set(kinds)), f"{command}: a change would be made twice"


def test_a_host_is_decided_on_once_for_all_steps_of_a_task(fleet) -> None:
    """pyinfra asks what would be done before it does it: a host is decided on then, and once more when it is done."""
    task, decided = TASKS["remove"], Counter()

    def decide(run, observed):
        decided[observed.host] += 1
        return task.decide(run, observed)

    fleet(fresh).does(run_steps, name=None, task=replace(task, decide=decide))
    assert decided == dict.fromkeys(HOSTS, 2)
