"""How long the waits of a deploy may last, by the keys that say so and without them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.operations.image import pulling
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.shell.script import KEY_MARK, guarded
from tests.conftest import MakeConfig, a_run, as_deployed

HOST = "192.0.2.1"


@pytest.mark.parametrize(
    ("sections", "seconds"),
    [
        ({}, 28),
        ({"healthcheck": {"max_attempts": 10}}, 55),
        ({"deploy_timeout": 90}, 90),
        ({"deploy_timeout": 90, "healthcheck": {"max_attempts": 10}}, 90),
    ],
    ids=["Kamal's 7 attempts", "attempts", "seconds", "both"],
)
def test_how_long_a_new_container_may_take_to_get_healthy(
    config: MakeConfig, sections: dict[str, Any], seconds: int
) -> None:
    desired = desired_host(a_run(config(servers=[HOST], **sections)), HOST)
    assert [container.deadline for container in desired.containers] == [seconds]


@pytest.mark.parametrize(
    ("sections", "drain", "stop"),
    [
        ({}, 34, None),
        ({"stop_wait_time": 25}, 34, 25),
        ({"drain_timeout": 60}, 64, 60),
        ({"drain_timeout": 60, "stop_wait_time": 25}, 64, 25),
        ({"healthcheck": {"interval": "3s"}}, 42, None),
    ],
    ids=["nothing said", "TERM to KILL", "both waits", "each its own", "a slow health check"],
)
def test_how_long_an_old_container_may_take_to_leave(
    config: MakeConfig, sections: dict[str, Any], drain: int, stop: int | None
) -> None:
    """Four health checks, then 30 seconds or `drain_timeout`; Docker's 10 from TERM to KILL if nothing is said."""
    made = config(servers=[HOST], **sections)
    before = as_deployed(desired_host(a_run(made, "v1"), HOST))
    (stops,) = Comparison(desired_host(a_run(made), HOST), before).stops
    assert (stops.drain_timeout, stops.stop_timeout) == (drain, stop)


@pytest.mark.parametrize(("sections", "seconds"), [({}, 1800), ({"pull_timeout": 90}, 90)])
def test_how_long_a_pull_may_take(config: MakeConfig, sections: dict[str, Any], seconds: int) -> None:
    pull = pulling(a_run(config(servers=[HOST], **sections)), "docker pull shop")
    assert pull == guarded("docker pull shop", seconds=seconds, key="pull_timeout")
    assert pull.startswith(f"timeout -k 5 {seconds} sh -c '{KEY_MARK}pull_timeout\n")


def test_another_time_limit_is_no_other_container(config: MakeConfig) -> None:
    """Times are how a deploy works, and no reason to replace what runs."""
    before = desired_host(a_run(config(servers=[HOST])), HOST)
    after = desired_host(a_run(config(servers=[HOST], deploy_timeout=90, drain_timeout=60)), HOST)
    assert after.containers[0].digest == before.containers[0].digest
    assert replace(after.containers[0], deadline=28, stop_timeout=None) == before.containers[0]
