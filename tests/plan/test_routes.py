"""Which routes a container asks for, and what happens when two services ask for the same one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.proxy.traefik import Route, routes_of
from kamal_pyinfra.plan.state.observed import Status
from tests.conftest import MakeConfig
from tests.plan.hosts import HOST, altered, deployed, fresh, plan_of, together


def router(name: str, **fields: str) -> dict[str, str]:
    return {f"traefik.http.routers.{name}.{field}": value for field, value in fields.items()}


@pytest.mark.parametrize(
    ("labels", "route"),
    [
        (router("a", rule="Host(`x`)"), Route(protocol="http", rule="Host(`x`)", priority="9")),
        (router("a", rule="Host(`x`)", priority="0"), Route(protocol="http", rule="Host(`x`)", priority="9")),
        (router("a", rule=" Host(`x`) ", priority="7"), Route(protocol="http", rule="Host(`x`)", priority="7")),
        (
            router("a", rule="Host(`x`)", entryPoints="https, http"),
            Route(protocol="http", rule="Host(`x`)", priority="9", entry_points="http,https"),
        ),
        (
            {"Traefik.HTTP.Routers.a.Rule": "Host(`x`)", "traefik.enable": "true"},
            Route(protocol="http", rule="Host(`x`)", priority="9"),
        ),
        (
            {"traefik.tcp.routers.a.rule": "HostSNI(`*`)"},
            Route(protocol="tcp", rule="HostSNI(`*`)", priority="12"),
        ),
    ],
)
def test_a_route_is_protocol_rule_priority_and_entry_points(labels: dict[str, str], route: Route) -> None:
    assert routes_of(labels) == {route}


@pytest.mark.parametrize(
    "labels",
    [
        {},
        router("a", rule="Host(`x`)") | {"traefik.enable": "false"},
        router("a", rule="Host(`x`)") | {"traefik.enable": "False"},
        router("a", priority="7"),
        {"traefik.http.services.a.loadbalancer.server.port": "80", "service": "shop"},
    ],
)
def test_a_container_without_rules_or_hidden_from_the_proxy_has_no_routes(labels: dict[str, str]) -> None:
    assert routes_of(labels) == frozenset()


def refusal(config: MakeConfig, ours: dict[str, Any], theirs: dict[str, Any], **fields: Any) -> str:
    """Why shop cannot come beside blog; empty if it can."""
    blog = {"service": "blog", "image": "acme/blog"} | theirs
    seen = deployed(config(**blog), "v1")
    name = next(container.name for container in seen.containers if container.role)
    seen = altered(seen, name, **fields) if fields else seen
    try:
        plan_of(config(**ours), together(seen, fresh()), version="v2")
    except PlanRefused as refused:
        return str(refused)
    return ""


def labelled(name: str, **fields: str) -> dict[str, Any]:
    return {"labels": router(name, **fields)}


SAME = (
    "192.0.2.1: blog (blog-web-v1) already serves the rule PathPrefix(`/`) with priority 2, which role web asks for "
    "too; give it another one with the label traefik.http.routers.shop-web.rule"
)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({}, {}, SAME),
        (labelled("shop-web", rule="Host(`shop`)"), {}, ""),
        ({}, labelled("blog-web", rule="Host(`blog`)"), ""),
        (labelled("shop-web", priority="3"), {}, ""),
        (labelled("shop-web", entrypoints="https"), {}, ""),
        (labelled("shop-web", entrypoints="https"), labelled("blog-web", entrypoints="https"), SAME),
        ({"labels": {"traefik.enable": "false"}}, {}, ""),
        ({}, {"labels": {"traefik.enable": "false"}}, ""),
        (
            labelled("shop-web", rule="Path(`/a`)", priority="0"),
            labelled("b", rule="Path(`/a`)", priority="10"),
            "Path",
        ),
        (labelled("shop-web", rule="Path(`/a`)", priority="0"), labelled("b", rule="Path(`/a`)", priority="11"), ""),
        (labelled("other", rule="Host(`x`)"), labelled("mine", rule="Host(`x`)") | {}, "Host(`x`)"),
    ],
)
def test_a_rule_that_another_service_has_at_the_same_priority_is_refused(
    config: MakeConfig, ours: dict[str, Any], theirs: dict[str, Any], said: str
) -> None:
    """Traefik would send each request to one of the two at random."""
    found = refusal(config, ours, theirs)
    assert (said in found) if said else found == ""
    if said == SAME:
        assert found == SAME


@pytest.mark.parametrize("status", [Status.EXITED, Status.CREATED, Status.DEAD])
def test_a_service_that_does_not_run_claims_no_rule(config: MakeConfig, status: Status) -> None:
    assert refusal(config, {}, {}, status=status) == ""


def test_two_destinations_of_a_service_are_two_services(config: MakeConfig) -> None:
    staging = deployed(config(destination="staging"), "v1")
    with pytest.raises(PlanRefused) as refused:
        plan_of(config(), together(staging, fresh()))
    assert str(refused.value) == (
        "192.0.2.1: shop-staging (shop-web-staging-v1) already serves the rule PathPrefix(`/`) with priority 2, which "
        "role web asks for too; give it another one with the label traefik.http.routers.shop-web.rule"
    )


def test_the_old_version_of_a_service_does_not_clash_with_the_new_one(config: MakeConfig) -> None:
    assert "± container shop-web-v2" in plan_of(config(), deployed(config(), "v1"))


def test_a_role_without_the_proxy_claims_nothing(config: MakeConfig) -> None:
    job = {"servers": {"web": {"hosts": ["192.0.2.7"]}, "job": [HOST]}}
    assert refusal(config, job, {}) == ""


def test_every_clash_on_every_host_is_told_at_once(config: MakeConfig) -> None:
    blog = config(service="blog", image="acme/blog", servers=[HOST, "192.0.2.2"])
    seen = [together(deployed(blog, "v1", host), fresh(host)) for host in (HOST, "192.0.2.2")]
    with pytest.raises(PlanRefused) as refused:
        plan_of(config(servers=[HOST, "192.0.2.2"]), *seen)
    assert str(refused.value) == f"{SAME}\n{SAME.replace('192.0.2.1', '192.0.2.2')}"


def test_a_clash_refuses_also_when_the_host_is_otherwise_as_it_should_be(config: MakeConfig) -> None:
    blog = deployed(config(service="blog", image="acme/blog"), "v1")
    both = together(blog, replace(deployed(config(), "v2"), record=None))
    with pytest.raises(PlanRefused, match="already serves the rule"):
        plan_of(config(), both)
