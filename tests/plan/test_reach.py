"""Changed labels that lead the proxy elsewhere: a port is looked for before the container is healthy."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.proxy.gate import new_reach
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, made_by_kamal, plan_of
from tests.plan.test_router_names import ROUTER, SERVICE, after, with_labels

PORT, SCHEME = f"{SERVICE}.server.port", f"{SERVICE}.server.scheme"
API = "traefik.http.routers.shop-api"
API_PORT = "traefik.http.services.api.loadbalancer.server.port"
TRANSPORT = "traefik.http.serversTransports.own.insecureSkipVerify"
WITH_API = {f"{ROUTER}.service": "shop-web", f"{API}.rule": "Path(`/api`)", f"{API}.service": "api"}


NOTHING = (None, "")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {}, NOTHING),
        ({}, {f"{ROUTER}.rule": "Host(`a.example.com`)"}, NOTHING),
        ({}, {f"{SERVICE}.sticky.cookie": "true"}, NOTHING),
        ({}, {f"{ROUTER}.service": "shop-web"}, NOTHING),
        ({}, {PORT: "3001"}, ("3001", "")),
        ({PORT: "3000"}, {PORT: "3001"}, ("3001", "")),
        ({PORT: "3000"}, {}, ("", "")),
        ({}, {SCHEME: "https"}, (None, "loadbalancer.server.scheme")),
        ({}, {SCHEME: "https", PORT: "3001"}, ("3001", "loadbalancer.server.scheme")),
        ({}, {f"{SERVICE}.healthCheck.path": "/up"}, (None, "loadbalancer.healthcheck.path")),
        ({}, {f"{ROUTER}.service": "other@file"}, (None, "loadbalancer.server.scheme, service")),
        (
            {TRANSPORT: "true", f"{SERVICE}.serversTransport": "own"},
            {TRANSPORT: "false", f"{SERVICE}.serversTransport": "own"},
            (None, "serverstransport.insecureskipverify"),
        ),
        ({}, WITH_API | {API_PORT: "3001", API_PORT.replace("port", "scheme"): "http"}, ("3001", "")),
        (WITH_API | {API_PORT: "1"}, WITH_API | {API_PORT: "1", PORT: "1"}, NOTHING),
        (
            WITH_API | {API_PORT: "1"},
            WITH_API | {API_PORT: "2", PORT: "3"},
            ("2", "loadbalancer.server.port"),
        ),
        ({}, {"traefik.http.services.unused.loadbalancer.server.port": "9", f"{ROUTER}.service": "shop-web"}, NOTHING),
    ],
)  # fmt: skip
def test_what_is_new_about_the_way_to_a_container(
    config: MakeConfig, before: dict[str, str], now: dict[str, str], expected: tuple[str | None, str]
) -> None:
    container = desired_host(a_run(with_labels(config, now), "v2"), HOST).containers[0]
    for seen in (deployed(with_labels(config, before)), made_by_kamal(deployed(with_labels(config, before)))):
        assert new_reach(container, seen.running) == expected


def test_each_change_is_looked_at_anew_and_a_version_without_one_is_not_held_back(config: MakeConfig) -> None:
    """Also beside a container whose routers have other names for once."""
    host = deployed(config())
    for number in ("2", "3", "4"):
        changed = with_labels(config, {PORT: f"300{number}"})
        (change,) = Comparison(desired_host(a_run(changed, f"v{number}"), HOST), host).boots
        assert change.awaited_port == f"300{number}"
        host = after(changed, host, f"v{number}", number * 32)
    (change,) = Comparison(desired_host(a_run(changed, "v9"), HOST), host).boots
    assert change.awaited_port is None


def test_a_host_without_an_old_container_has_nothing_to_lose(config: MakeConfig) -> None:
    changed = with_labels(config, {PORT: "3001", SCHEME: "https"})
    seen = deployed(config())
    hidden = altered(seen, "shop-web-v1", labels=seen.containers[0].labels | {"traefik.enable": "false"})
    others = altered(seen, "shop-web-v1", labels=seen.containers[0].labels | {"service": "blog"})
    for host in (hidden, others):
        container = desired_host(a_run(changed, "v2"), HOST).containers[0]
        assert new_reach(container, host.running) == NOTHING


def test_the_plan_marks_what_cannot_be_looked_for(config: MakeConfig) -> None:
    text = plan_of(with_labels(config, {SCHEME: "https"}), deployed(config()))
    assert "version v1 → v2; loses requests if the proxy cannot reach it: loadbalancer.server.scheme differs" in text
    assert "loses requests" not in plan_of(with_labels(config, {PORT: "3001"}), deployed(config()))


def test_without_a_cord_nothing_holds_a_container_back(config: MakeConfig) -> None:
    """It gets requests from its first moment."""
    changed = with_labels(config, {PORT: "3001"}, healthcheck={"cord": False})
    (change,) = Comparison(desired_host(a_run(changed, "v2"), HOST), deployed(config())).boots
    assert (change.container.cord, change.awaited_port) == (None, None)
    assert change.cause.endswith("; loses requests if the proxy cannot reach it: loadbalancer.server.port differs")
