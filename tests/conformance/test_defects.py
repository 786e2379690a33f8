"""Defects of Kamal 1.9 that we do not have, as far as no other file shows it."""

from __future__ import annotations

from kamal_pyinfra.inventory import role_groups
from kamal_pyinfra.local.terminal import terminal_command
from kamal_pyinfra.plan.changes import StopContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.desired import AppContainer
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed


def container(config, role: str = "web") -> AppContainer:
    return next(each for each in desired_host(a_run(config), HOST).containers if each.role == role)


def test_the_wait_for_an_old_container_outlasts_its_interval(config: MakeConfig) -> None:
    """Docker needs three probes to call it unhealthy; with 10 s between them Kamal gives up after 28 s."""
    for interval, probes in (("10s", 30), ("60s", 180)):
        slow = config(healthcheck={"interval": interval})
        seen = deployed(slow, "v1")
        plan = make_plan(a_run(slow, "v2"), {HOST: seen})
        (wait,) = [change.drain_timeout for change in plan.changes if isinstance(change, StopContainer)]
        assert wait > probes


def test_a_roles_own_attempts_count(config: MakeConfig) -> None:
    web = {"hosts": [HOST], "healthcheck": {"max_attempts": 3}}
    assert container(config(servers={"web": web}, healthcheck={"max_attempts": 10})).deadline == 1 + 2 + 3


def test_a_workers_own_command_is_its_health_check(config: MakeConfig) -> None:
    worker = {"hosts": [HOST], "healthcheck": {"cmd": "bin/alive"}}
    health = container(config(servers={"web": [HOST], "job": worker}), "job").health
    assert health is not None
    assert health.command == "bin/alive"


def test_the_agent_is_not_forwarded(config: MakeConfig) -> None:
    plain = config()
    ((_, data),) = role_groups(plain)["web"]
    assert data["ssh_forward_agent"] is False
    assert terminal_command(plain, plain.role_hosts[0], "id")[:3] == ["ssh", "-t", "-a"]
