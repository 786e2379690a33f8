"""A new router is proven by one that the proxy took before: the same definition on a container that runs."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff import diff_containers
from kamal_pyinfra.plan.gates import boot_gates
from kamal_pyinfra.plan.observed import ObservedHost
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, stopped

RULE = {"traefik.http.routers.shop-web.rule": "Host(`shop.example.com`)"}


def is_in_use(config: MakeConfig, observed: ObservedHost, **keys: object) -> list[bool]:
    desired = desired_host(a_run(config(**keys), "v2"), HOST)
    return [gate.is_in_use for gate in boot_gates(diff_containers(desired, observed), desired, observed)]


def test_the_router_of_the_version_that_runs_is_in_use(config: MakeConfig) -> None:
    assert is_in_use(config, deployed(config(), "v1")) == [True]


def test_a_changed_router_is_not(config: MakeConfig) -> None:
    assert is_in_use(config, deployed(config(), "v1"), labels=RULE) == [False]


def test_nor_is_one_of_a_container_that_does_not_run_or_of_none(config: MakeConfig) -> None:
    observed = deployed(config(), "v1")
    assert is_in_use(config, stopped(observed, "shop-web-v1")) == [False]
    assert is_in_use(config, replace(observed, containers=())) == [False]
