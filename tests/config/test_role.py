"""Roles as they take effect, health checks and batches."""

from __future__ import annotations

import pytest

from kamal_pyinfra.config import Boot, Healthcheck, Role
from tests.config.conftest import Load, fixture


def role(name: str) -> Role:
    return fixture("roles").role(name)


def test_the_primary_role_comes_first_and_the_others_by_name() -> None:
    config = fixture("roles")
    assert [role.name for role in config.roles] == ["front", "admin", "blank", "checked", "worker"]
    assert [role.is_primary for role in config.roles] == [True, False, False, False, False]
    assert [server.host for server in config.role_hosts] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_a_role_lays_its_own_settings_over_the_roots() -> None:
    front = role("front")
    assert front.labels == {"team": "front"}
    assert front.asset_path == "/root/assets"
    assert front.logging.driver == "local"
    assert front.logging.options == {"max-size": "10m", "max-file": "5"}
    assert front.healthcheck.command == "curl -f http://localhost:8080/front || exit 1"
    assert (front.healthcheck.max_attempts, front.healthcheck.interval, front.healthcheck.cord) == (
        9,
        "5s",
        "/cord",
    )
    assert role("admin").asset_path == "/admin/assets"


def test_options_keep_their_order_and_text_but_know_switches_lists_and_null() -> None:
    assert list(role("front").options.items()) == [
        ("memory", "512m"),
        ("init", True),
        ("cap-add", ("A", "B")),
        ("pids-limit", "0100"),
        ("tty", None),
        ("cpus", "1.50"),
        ("sig", False),
    ]


def test_without_the_proxy_only_the_roles_own_health_check_counts() -> None:
    checked = role("checked")
    assert checked.healthcheck == Healthcheck(cmd="test -e /alive", max_attempts=2)
    assert role("worker").healthcheck == Healthcheck()


@pytest.mark.parametrize(
    ("name", "traefik", "own", "health", "cord"),
    [
        ("front", True, True, True, True),
        ("admin", True, False, True, False),
        ("worker", False, False, False, False),
        ("checked", False, True, True, False),
        ("blank", True, True, False, False),
    ],
)
def test_who_is_routed_checked_and_tied_to_a_cord(
    name: str, traefik: bool, own: bool, health: bool, cord: bool
) -> None:
    found = role(name)
    seen = (found.running_traefik, found.own_healthcheck, found.has_healthcheck, found.uses_cord)
    assert seen == (traefik, own, health, cord)


def test_the_primary_role_may_do_without_the_proxy(load: Load) -> None:
    assert not load(servers="{web: {hosts: [a], traefik: false}}").role("web").running_traefik


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("{}", "curl -f http://localhost:3000/up || exit 1"),
        ("{port: 80}", "curl -f http://localhost/up || exit 1"),
        ("{port: '8080', path: health/live}", "curl -f http://localhost:8080/health/live || exit 1"),
        ("{path: /}", "curl -f http://localhost:3000/ || exit 1"),
        ("{path: '/up?full=1'}", "curl -f http://localhost:3000/up?full=1 || exit 1"),
        ("{cmd: bin/check, port: 1}", "bin/check"),
        ("{cmd: ''}", ""),
    ],
)
def test_the_command_of_a_health_check(load: Load, written: str, command: str) -> None:
    assert load(healthcheck=written).healthcheck.command == command


@pytest.mark.parametrize("interval", ["1s", "500ms", "1m30s", "1.5h", "0"])
def test_durations_that_docker_reads(load: Load, interval: str) -> None:
    assert load(healthcheck=f"{{interval: {interval}}}").healthcheck.interval == interval


@pytest.mark.parametrize(
    ("limit", "hosts", "size"),
    [
        ("3", 10, 3),
        ("'3'", 10, 3),
        ("25%", 10, 2),
        ("'25%'", 8, 2),
        ("1%", 10, 1),
        ("0%", 10, 1),
        ("100%", 10, 10),
        ("50%", 0, 0),
    ],
)
def test_the_size_of_a_batch(load: Load, limit: str, hosts: int, size: int) -> None:
    batches = load(boot=f"{{limit: {limit}}}").boot.batches([str(number) for number in range(hosts)])
    assert [len(batch) for batch in batches[:1]] == ([size] if hosts else [])


@pytest.mark.parametrize(
    ("limit", "hosts", "most"),
    [("0", 10, 0), ("3", 10, 3), ("'3'", 10, 3), ("25%", 10, 2), ("0%", 10, 0), ("100%", 10, 10)],
)
def test_how_many_hosts_may_be_left_out(load: Load, limit: str, hosts: int, most: int) -> None:
    boot = load(boot=f"{{max_unavailable: {limit}}}").boot
    assert [boot.allows_without(left_out, hosts) for left_out in (0, most, most + 1)] == [True, True, False]


def test_without_a_bound_any_host_may_be_left_out() -> None:
    assert Boot().allows_without(10, 10)


def test_without_limit_all_hosts_boot_together() -> None:
    assert Boot().batches(["a", "b", "c"]) == [("a", "b", "c")]
