"""The container of a role, as Kamal 1.9 would run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.desired import AppContainer, Assets, Health
from tests.conftest import SECRETS, MakeConfig, a_run

HOST = "192.0.2.1"
CORDED = "(curl -f http://localhost:3000/up || exit 1) && (stat /tmp/kamal-cord/cord > /dev/null || exit 1)"


def container(config: Config, role: str = "web", host: str = HOST, **run: Any) -> AppContainer:
    return next(each for each in desired_host(a_run(config, **run), host).containers if each.role == role)


def test_everything_about_the_simplest_container(config: MakeConfig) -> None:
    assert replace(container(config()), labels=(), digest="", secrets=None) == AppContainer(
        name="shop-web-v2",
        role="web",
        version="v2",
        image="acme/shop:v2",
        hostname="192.0.2.1-222222222222",
        env_file=".kamal/env/roles/shop-web.env",
        env=(),
        labels=(),
        volumes=(),
        options=(),
        log_options=(("--log-opt", "max-size=10m"),),
        cmd=None,
        health=Health(command=CORDED, interval="1s"),
        cord=".kamal/cords/shop-web-22222222222222222222222222222222",
        cord_target="/tmp/kamal-cord",
        assets=None,
        deadline=28,
        readiness_delay=7,
        stop_timeout=None,
        log_lines=50,
        is_primary=True,
        digest="",
    )


def test_everything_about_a_container_with_all_settings(config: MakeConfig) -> None:
    full = config(
        destination="staging",
        volumes=["data:/data"],
        stop_wait_time=33,
        readiness_delay=1,
        asset_path="/app/public",
        env={"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
        healthcheck={"cmd": "true", "interval": "5s", "max_attempts": 3, "cord": "/cord", "log_lines": 9},
        servers={"web": {"hosts": [HOST], "cmd": "bin/serve -p 80", "options": {"memory": "256m", "init": True}}},
    )
    assert replace(container(full), labels=(), digest="", secrets=None, secret_checks={}) == AppContainer(
        name="shop-web-staging-v2",
        role="web",
        version="v2",
        image="acme/shop:v2",
        hostname="192.0.2.1-222222222222",
        env_file=".kamal/env/roles/shop-web-staging.env",
        env=(("COLOR", "blue"),),
        labels=(),
        volumes=("data:/data",),
        options=(("memory", "256m"), ("init", True)),
        log_options=(("--log-opt", "max-size=10m"),),
        cmd="bin/serve -p 80",
        health=Health(command="(true) && (stat /cord/cord > /dev/null || exit 1)", interval="5s"),
        cord=".kamal/cords/shop-web-staging-22222222222222222222222222222222",
        cord_target="/cord",
        assets=Assets(
            helper="shop-web-staging-assets",
            source="/app/public",
            extracted=".kamal/assets/extracted/shop-web-staging-v2",
            volume=".kamal/assets/volumes/shop-web-staging-v2",
        ),
        deadline=6,
        readiness_delay=1,
        stop_timeout=33,
        log_lines=9,
        is_primary=True,
        secret_names=("TOP_SECRET",),
        digest="",
    )


def test_labels_in_kamals_order(config: MakeConfig) -> None:
    full = config(
        labels={"team": "shop", "tier": "root"},
        servers={"web": {"hosts": [HOST], "labels": {"tier": "role", "extra": "1"}}},
    )
    assert container(full).labels == (
        ("service", "shop"),
        ("role", "web"),
        ("destination", ""),
        ("traefik.http.services.shop-web.loadbalancer.server.scheme", "http"),
        ("traefik.http.routers.shop-web.rule", "PathPrefix(`/`)"),
        ("traefik.http.routers.shop-web.priority", "2"),
        ("traefik.http.middlewares.shop-web-retry.retry.attempts", "5"),
        ("traefik.http.middlewares.shop-web-retry.retry.initialinterval", "500ms"),
        ("traefik.http.routers.shop-web.middlewares", "shop-web-retry@docker"),
        ("team", "shop"),
        ("tier", "role"),
        ("extra", "1"),
    )


@pytest.mark.parametrize(
    ("root", "role", "rule"),
    [
        ({}, {}, "PathPrefix(`/`)"),
        ({"traefik.http.routers.shop-web.rule": "Host(`root`)"}, {}, "Host(`root`)"),
        ({}, {"traefik.http.routers.shop-web.rule": "Host(`role`)"}, "Host(`role`)"),
        (
            {"traefik.http.routers.shop-web.rule": "Host(`root`)"},
            {"traefik.http.routers.shop-web.rule": "Host(`role`)"},
            "Host(`role`)",
        ),
    ],
)
def test_a_label_of_the_role_wins_over_the_roots_and_that_over_the_default(
    config: MakeConfig, root: dict[str, str], role: dict[str, str], rule: str
) -> None:
    labels = container(config(labels=root, servers={"web": {"hosts": [HOST], "labels": role}})).labels
    assert [value for name, value in labels if name == "traefik.http.routers.shop-web.rule"] == [rule]


def test_the_destination_is_in_a_label_and_in_every_name_of_the_route(config: MakeConfig) -> None:
    assert container(config(destination="staging")).labels == (
        ("service", "shop"),
        ("role", "web"),
        ("destination", "staging"),
        ("traefik.http.services.shop-web-staging.loadbalancer.server.scheme", "http"),
        ("traefik.http.routers.shop-web-staging.rule", "PathPrefix(`/`)"),
        ("traefik.http.routers.shop-web-staging.priority", "2"),
        ("traefik.http.middlewares.shop-web-staging-retry.retry.attempts", "5"),
        ("traefik.http.middlewares.shop-web-staging-retry.retry.initialinterval", "500ms"),
        ("traefik.http.routers.shop-web-staging.middlewares", "shop-web-staging-retry@docker"),
    )


def test_a_worker_has_no_route_no_health_check_no_cord_and_no_assets(config: MakeConfig) -> None:
    worker = container(
        config(asset_path="/app/public", servers={"web": ["192.0.2.9"], "job": {"hosts": [HOST], "cmd": "bin/work"}}),
        role="job",
    )
    assert (worker.health, worker.cord, worker.cord_target, worker.assets) == (None, None, None, None)
    assert worker.labels == (("service", "shop"), ("role", "job"), ("destination", ""))
    assert worker.cmd == "bin/work"
    assert not worker.is_primary


def test_a_second_role_behind_the_proxy_gets_everything_that_the_first_has(config: MakeConfig) -> None:
    api = container(config(servers={"web": ["192.0.2.9"], "api": {"hosts": [HOST], "traefik": True}}), role="api")
    assert api.health == Health(command=CORDED, interval="1s")
    assert api.cord == ".kamal/cords/shop-api-22222222222222222222222222222222"
    assert ("traefik.http.routers.shop-api.rule", "PathPrefix(`/`)") in api.labels


def test_a_workers_own_health_check_has_no_cord(config: MakeConfig) -> None:
    own = {"hosts": [HOST], "healthcheck": {"cmd": "bin/alive", "interval": "9s"}}
    worker = container(config(servers={"web": ["192.0.2.9"], "job": own}), role="job")
    assert worker.health == Health(command="bin/alive", interval="9s")
    assert worker.cord is None


def test_the_roots_health_check_is_not_a_workers(config: MakeConfig) -> None:
    worker = container(config(healthcheck={"cmd": "x"}, servers={"web": ["192.0.2.9"], "job": [HOST]}), role="job")
    assert worker.health is None


def test_a_roles_health_check_is_laid_over_the_roots(config: MakeConfig) -> None:
    web = {"hosts": [HOST], "healthcheck": {"path": "/alive"}}
    health = container(config(healthcheck={"port": 80, "interval": "4s"}, servers={"web": web})).health
    assert health == Health(
        command="(curl -f http://localhost/alive || exit 1) && (stat /tmp/kamal-cord/cord > /dev/null || exit 1)",
        interval="4s",
    )


def test_without_cord_the_health_check_is_the_command_alone(config: MakeConfig) -> None:
    bare = container(config(healthcheck={"cmd": "true", "cord": False}))
    assert bare.health == Health(command="true", interval="1s")
    assert (bare.cord, bare.cord_target) == (None, None)


@pytest.mark.parametrize(("options", "stands_by"), [({}, True), ({"health-timeout": "3s"}, False)])
def test_a_check_watches_its_cord_unless_it_may_be_ended_for_that(
    config: MakeConfig, options: dict[str, str], stands_by: bool
) -> None:
    web = container(config(servers={"web": {"hosts": [HOST], "options": options}}))
    assert web.health is not None
    assert ("/tmp/kamal-cord/standby" in web.health.retrying_command) == stands_by


@pytest.mark.parametrize(
    ("root", "role", "flags"),
    [
        ({}, {}, (("--log-opt", "max-size=10m"),)),
        ({"driver": "local"}, {}, (("--log-driver", "local"),)),
        ({"options": {"max-size": "1g"}}, {}, (("--log-opt", "max-size=1g"),)),
        (
            {"driver": "local", "options": {"max-size": "1g"}},
            {"driver": "journald", "options": {"tag": "x"}},
            (("--log-driver", "journald"), ("--log-opt", "max-size=1g"), ("--log-opt", "tag=x")),
        ),
    ],
)
def test_logs_are_bounded_unless_the_configuration_says_otherwise(
    config: MakeConfig, root: dict[str, Any], role: dict[str, Any], flags: tuple[tuple[str, str], ...]
) -> None:
    loaded = config(logging=root, servers={"web": {"hosts": [HOST], "logging": role}})
    assert container(loaded).log_options == flags


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (7, 28), (10, 55)])
def test_the_deadline_is_the_sum_of_kamals_waits(config: MakeConfig, attempts: int, seconds: int) -> None:
    assert container(config(healthcheck={"max_attempts": attempts})).deadline == seconds


def test_a_hosts_tags_add_to_its_environment_only(config: MakeConfig) -> None:
    tagged = config(
        env={"clear": {"COLOR": "blue", "A": "1"}, "tags": {"green": {"COLOR": "green", "B": "2"}}},
        servers={"web": {"hosts": [{"192.0.2.1": "green"}, "192.0.2.2"], "env": {"A": "role"}}},
    )
    assert container(tagged).env == (("COLOR", "green"), ("A", "role"), ("B", "2"))
    assert container(tagged, host="192.0.2.2").env == (("COLOR", "blue"), ("A", "role"))


ROLE = {"hosts": [HOST]}
EDITS: dict[str, dict[str, Any]] = {
    "clear env": {"env": {"clear": {"COLOR": "green"}, "secret": ["TOP_SECRET"]}},
    "root label": {"labels": {"team": "other"}},
    "role label": {"servers": {"web": ROLE | {"labels": {"team": "other"}}}},
    "volume": {"volumes": ["other:/data"]},
    "option": {"servers": {"web": ROLE | {"options": {"memory": "512m"}}}},
    "cmd": {"servers": {"web": ROLE | {"cmd": "bin/serve"}}},
    "health command": {"healthcheck": {"path": "/alive"}},
    "health interval": {"healthcheck": {"interval": "2s"}},
    "cord": {"healthcheck": {"cord": "/cord"}},
    "no cord": {"healthcheck": {"cord": False}},
    "log driver": {"logging": {"driver": "local"}},
    "log option": {"logging": {"options": {"max-size": "1g"}}},
    "assets": {"asset_path": "/app/public"},
    "not routed": {"servers": {"web": ROLE | {"traefik": False}}},
    "destination": {"destination": "staging"},
}
"""Each needs a new container."""

BEFORE: dict[str, Any] = {
    "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
    "labels": {"team": "shop"},
    "volumes": ["data:/data"],
    "servers": {"web": ROLE},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_the_digest_changes_with_what_needs_a_new_container(config: MakeConfig, edit: dict[str, Any]) -> None:
    assert container(config(**BEFORE)).digest != container(config(**(BEFORE | edit))).digest


NOT_THE_CONTAINERS: dict[str, dict[str, Any]] = {
    "stop_wait_time": {"stop_wait_time": 5},
    "readiness_delay": {"readiness_delay": 1},
    "retain_containers": {"retain_containers": 1},
    "max_attempts": {"healthcheck": {"max_attempts": 20}},
    "log_lines": {"healthcheck": {"log_lines": 5}},
    "traefik": {"traefik": {"args": {"ping": True}}},
    "ssh": {"ssh": {"user": "app"}},
    "a second host": {"servers": {"web": {"hosts": [HOST, "192.0.2.2"]}}},
    "a host before it": {"servers": {"web": {"hosts": ["192.0.2.2", HOST]}}},
    "another role": {"servers": {"web": ROLE, "job": [HOST]}},
    "the registry's password": {"environ": SECRETS | {"REGISTRY_PASSWORD": "rotated"}},
    "run_directory": {"run_directory": "/var/lib/kamal"},
    "image": {"image": "acme/store"},
    "registry": {"registry": {"server": "r.example.com", "username": "u", "password": ["REGISTRY_PASSWORD"]}},
    "another secret": {"env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET", "OTHER_SECRET"]}},
    "the value of a secret": {"environ": SECRETS | {"TOP_SECRET": "rotated"}},
}
"""None is a reason to restart an app, or is seen on the container itself: its image and its secrets."""


@pytest.mark.parametrize("edit", NOT_THE_CONTAINERS.values(), ids=NOT_THE_CONTAINERS)
def test_the_digest_does_not_change_with_anything_else(config: MakeConfig, edit: dict[str, Any]) -> None:
    assert container(config(**BEFORE)).digest == container(config(**(BEFORE | edit))).digest


@pytest.mark.parametrize("field", ["env", "labels"])
def test_the_digest_does_not_change_with_the_order_of_names(config: MakeConfig, field: str) -> None:
    one, other = ({field: dict(pairs)} for pairs in ([("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")]))
    assert container(config(**one)).digest == container(config(**other)).digest


@pytest.mark.parametrize(
    "look",
    [
        lambda config: container(config, run_id="f" * 32),
        lambda config: container(config, command="redeploy"),
        lambda config: container(config, roles=("web",)),
        lambda config: container(config, host="192.0.2.2"),
    ],
    ids=["another run", "another command", "only this role", "another host"],
)
def test_the_digest_is_the_same_in_every_run_and_on_every_host(
    config: MakeConfig, look: Callable[[Config], AppContainer]
) -> None:
    two_hosts = config(servers=[HOST, "192.0.2.2"])
    assert look(two_hosts).digest == container(two_hosts).digest


def test_the_digest_differs_between_roles_and_stays_from_version_to_version(config: MakeConfig) -> None:
    two_roles = config(servers={"web": [HOST], "job": [HOST]})
    assert container(two_roles).digest == container(two_roles, version="v3").digest
    assert container(two_roles).digest != container(two_roles, "job").digest


@pytest.mark.parametrize("edit", ["another secret", "the value of a secret"])
def test_what_a_container_has_of_secrets_is_compared_apart(config: MakeConfig, edit: str) -> None:
    before, after = container(config(**BEFORE)), container(config(**(BEFORE | NOT_THE_CONTAINERS[edit])))
    assert before.secrets != after.secrets
    assert before.secret_checks != after.secret_checks
    assert not any(secret in repr(after) for secret in SECRETS.values())
