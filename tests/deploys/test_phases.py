"""The one list of a deploy's steps: what comes after what, and what becomes of the run when a phase fails."""

from __future__ import annotations

from typing import Any

import pytest

from kamal_pyinfra.deploys import phases
from kamal_pyinfra.deploys.phases import Failure, Phase, Step, steps
from tests.conftest import MakeConfig, a_run

HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


def shown(step: Step) -> str:
    """A step as a line: its phase, hosts by their last digit, and what else is given to it."""
    if step.phase is None:
        return f"hook {step.hook}" if step.hook else f"pause {step.pause}"
    more = [
        f"{name} {value}"
        for each in step.rounds
        for name, value in each.items()
        if name != "batch" and value is not False
    ]
    assert all(each.get("batch", step.batch) == step.batch for each in step.rounds)
    where = " on " + "".join(host[-1] for host in step.batch) if step.batch else ""
    return ", ".join([f"{step.phase.name}{where}", *more])


def story(config: MakeConfig, command: str = "deploy", **sections: Any) -> list[str]:
    run = a_run(config(servers=list(HOSTS), **sections), command=command, is_setup=command == "setup")
    return [shown(step) for step in steps(run, lambda: HOSTS)]


def test_a_deploy_of_one_batch_is_finished_with_the_switch(config: MakeConfig) -> None:
    assert story(config) == [
        "build",
        "lock",
        "hook pre-deploy",
        "prepare",
        "boot on 123",
        "switch on 123, finishes True",
        "finish",
        "unlock",
        "hook post-deploy",
    ]


def test_batches_boot_and_switch_one_after_the_other_and_are_finished_together(config: MakeConfig) -> None:
    assert story(config, boot={"limit": 1, "wait": 7}) == [
        "build",
        "lock",
        "hook pre-deploy",
        "prepare",
        "boot on 1",
        "switch on 1",
        "pause 7",
        "boot on 2",
        "switch on 2",
        "pause 7",
        "boot on 3",
        "switch on 3",
        "finish",
        "unlock",
        "hook post-deploy",
    ]


def test_without_a_wait_there_is_no_pause(config: MakeConfig) -> None:
    assert [line for line in story(config, boot={"limit": 2, "wait": 0}) if " on " in line or "pause" in line] == [
        "boot on 12",
        "switch on 12",
        "boot on 3",
        "switch on 3",
    ]


def test_a_watched_version_is_finished_only_once_the_old_one_has_retired(config: MakeConfig) -> None:
    lines = story(config, boot={"watch": 12})
    assert lines[4:9] == [
        "boot on 123",
        "switch on 123",
        "watch on 123, seconds 5, seconds 5, seconds 2",
        "retire on 123",
        "finish",
    ]


def test_the_release_command_runs_before_anything_boots(config: MakeConfig) -> None:
    lines = story(config, release={"cmd": "bin/migrate"})
    assert lines[3:5] == ["prepare", "release"]
    assert lines[5].startswith("boot")


def test_a_rollback_runs_no_release_command(config: MakeConfig) -> None:
    assert "release" not in story(config, "rollback", release={"cmd": "bin/migrate"})


def test_without_its_host_no_release_command_runs(config: MakeConfig) -> None:
    run = a_run(config(servers=list(HOSTS), release={"cmd": "bin/migrate", "host": HOSTS[0]}))
    assert "release" not in [shown(step) for step in steps(run, lambda: HOSTS[1:])]


def test_a_setup_has_docker_first(config: MakeConfig) -> None:
    assert story(config, "setup")[1:5] == ["lock", "bootstrap", "hook docker-setup", "hook pre-deploy"]


def test_app_boot_calls_no_hooks_of_a_deploy(config: MakeConfig) -> None:
    assert [line for line in story(config, "app") if line.startswith("hook")] == []


def test_batches_are_made_of_the_hosts_that_are_left_after_preparing(config: MakeConfig) -> None:
    """With `--skip-unreachable` one may be gone by then."""
    left = list(HOSTS)
    booting = []
    for step in steps(a_run(config(servers=list(HOSTS), boot={"limit": 1, "wait": 0})), lambda: left):
        if step.phase is phases.PREPARE:
            left.pop(0)
        booting += [shown(step)] if step.phase is phases.BOOT else []
    assert booting == ["boot on 2", "boot on 3"]


@pytest.mark.parametrize(
    ("phase", "failure", "reverts"),
    [
        (phases.LOCK, Failure.STOPS, False),
        (phases.BOOTSTRAP, Failure.STOPS, False),
        (phases.PREPARE, Failure.LEAVES_OUT, True),
        (phases.RELEASE, Failure.STOPS, True),
        (phases.BOOT, Failure.LEAVES_OUT, True),
        (phases.SWITCH, Failure.GOES_ON, False),
        (phases.WATCH, Failure.GOES_ON, True),
        (phases.RETIRE, Failure.GOES_ON, False),
        (phases.FINISH, Failure.GOES_ON, False),
    ],
    ids=lambda value: value.name if isinstance(value, Phase) else None,
)
def test_past_the_gate_hosts_go_on_and_only_what_is_unproven_is_reverted(
    phase: Phase, failure: Failure, reverts: bool
) -> None:
    assert (phase.failure, phase.reverts) == (failure, reverts)
