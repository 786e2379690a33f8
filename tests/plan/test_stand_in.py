"""An engine that is not Docker is named before anything changes, by every command that asks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.facts.snapshot import parse_findings, parse_snapshot
from kamal_pyinfra.insight.doctor import Verdict, docker
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.plan import docker_errors, reasons_against, refuse
from tests.shell.builders import golden_config, new_run

HOST = "10.0.0.1"
OBSERVED = parse_snapshot(HOST, ["user deploy", "home /home/deploy", "docker-other podman", "end"])
LINE = (
    "10.0.0.1: podman stands in for docker; kp needs Docker: remove podman-docker there (or unset DOCKER_HOST), "
    "then `kp setup` installs Docker"
)


@pytest.mark.parametrize("command", ["deploy", "setup", "redeploy", "rollback"])
def test_no_plan_is_made_for_it(command: str) -> None:
    """`kp setup` too: it would find an engine that answers, and leave it."""
    run = replace(new_run(golden_config()), command=command)
    with pytest.raises(PlanRefused) as refused:
        refuse(reasons_against(Comparison(desired_host(run, HOST), OBSERVED)))
    assert str(refused.value) == LINE


def test_smaller_commands_name_it_in_the_same_words() -> None:
    assert docker_errors(OBSERVED) == (LINE,)


def test_the_doctor_names_it_and_the_way_out() -> None:
    examined = parse_findings(["user deploy", "docker-other podman", "end"])
    assert docker(examined) == (
        Verdict.FAIL,
        "podman stands in for docker; kp needs Docker",
        "remove podman-docker there (or unset DOCKER_HOST), then `kp setup` installs Docker",
    )
