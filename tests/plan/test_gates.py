"""A new router is proven by one that the proxy took before: the same definition on a container that runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kamal_pyinfra.plan.changes import AwaitContainer, ReplaceContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.proxy import boot_gates
from kamal_pyinfra.plan.state.observed import ObservedHost
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, stopped

RULE = {"traefik.http.routers.shop-web.rule": "Host(`shop.example.com`)"}


def is_in_use(config: MakeConfig, observed: ObservedHost, **keys: object) -> list[bool]:
    desired = desired_host(a_run(config(**keys), "v2"), HOST)
    return [gate.is_in_use for gate in boot_gates(Comparison(desired, observed).boots, Comparison(desired, observed))]


def test_the_router_of_the_version_that_runs_is_in_use(config: MakeConfig) -> None:
    assert is_in_use(config, deployed(config(), "v1")) == [True]


def test_a_changed_router_is_not(config: MakeConfig) -> None:
    assert is_in_use(config, deployed(config(), "v1"), labels=RULE) == [False]


def test_nor_is_one_of_a_container_that_does_not_run_or_of_none(config: MakeConfig) -> None:
    observed = deployed(config(), "v1")
    assert is_in_use(config, stopped(observed, "shop-web-v1")) == [False]
    assert is_in_use(config, replace(observed, containers=())) == [False]


@pytest.mark.parametrize(("kind", "expected"), [(ReplaceContainer, True), (AwaitContainer, False)])
def test_one_that_is_replaced_serves_under_the_same_name(config: MakeConfig, kind: type, expected: bool) -> None:
    observed = deployed(config(), "v2")
    desired = desired_host(a_run(config(), "v2"), HOST)
    (container,) = desired.containers
    (gate,) = boot_gates([kind(container=container, cause="x")], Comparison(desired, observed))
    assert gate.is_in_use is expected


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("PathPrefix(`/`)", "/up"),
        ("Host(`shop.example.com`)", "/up"),
        ("Host(`shop.example.com`) && PathPrefix(`/api`)", "/api"),
        ("Path(`/a/b.c~d`) || Path(`/e`)", "/a/b.c~d"),
        ("PathPrefix(`/{id:[0-9]+}`)", "/up"),
        ("PathPrefix(`/$(touch x)`)", "/up"),
    ],
)
def test_its_own_router_is_asked_at_a_path_of_its_rule(config: MakeConfig, rule: str, path: str) -> None:
    changed = config(labels={"traefik.http.routers.shop-web.rule": rule})
    desired, observed = desired_host(a_run(changed, "v2"), HOST), deployed(changed, "v1")
    (gate,) = boot_gates(Comparison(desired, observed).boots, Comparison(desired, observed))
    assert gate.own_path == path
