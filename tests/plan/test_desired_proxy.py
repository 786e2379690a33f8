"""The Traefik container, as Kamal 1.9 would run it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.state.desired import Proxy
from tests.conftest import SECRETS, MakeConfig, a_run

CATCH_ALL = (
    ("traefik.http.routers.catchall.entryPoints", "http"),
    ("traefik.http.routers.catchall.rule", "PathPrefix(`/`)"),
    ("traefik.http.routers.catchall.service", "unavailable"),
    ("traefik.http.routers.catchall.priority", "1"),
    ("traefik.http.services.unavailable.loadbalancer.server.port", "0"),
)


def proxy(config: Config, host: str = "192.0.2.1", **run: Any) -> Proxy | None:
    return desired_host(a_run(config, **run), host).proxy


def wanted(config: Config) -> Proxy:
    found = proxy(config)
    assert found is not None
    return found


def test_everything_about_the_simplest_proxy(config: MakeConfig) -> None:
    assert replace(wanted(config()), digest="", secrets=None) == Proxy(
        name="traefik",
        image="traefik:v2.11",
        publish="80:80",
        env_file=".kamal/env/traefik/traefik.env",
        env=(),
        labels=CATCH_ALL,
        options=(),
        volumes=("/var/run/docker.sock:/var/run/docker.sock",),
        log_options=(("--log-opt", "max-size=10m"),),
        args=(("log.level", "DEBUG"),),
        owner="shop",
        digest="",
    )


def test_everything_about_a_proxy_with_all_settings(config: MakeConfig) -> None:
    traefik = {
        "image": "traefik:v3.1",
        "host_port": "127.0.0.1:8080",
        "labels": {"x": "1", "traefik.http.routers.catchall.priority": "9"},
        "args": {"log.level": "ERROR", "ping": True},
        "options": {"publish": ["443:443", "8443:8443"]},
        "env": {"clear": {"A": "1"}, "secret": ["TOP_SECRET"]},
    }
    full = config(destination="staging", traefik=traefik, logging={"driver": "local"}, run_directory="/srv")
    assert replace(wanted(full), digest="", secrets=None, secret_checks={}) == Proxy(
        name="traefik",
        image="traefik:v3.1",
        publish="127.0.0.1:8080:80",
        env_file="/srv/env/traefik/traefik.env",
        env=(("A", "1"),),
        labels=(*CATCH_ALL[:3], ("traefik.http.routers.catchall.priority", "9"), CATCH_ALL[4], ("x", "1")),
        options=(("publish", ("443:443", "8443:8443")),),
        volumes=("/var/run/docker.sock:/var/run/docker.sock",),
        log_options=(("--log-driver", "local"),),
        args=(("log.level", "ERROR"), ("ping", True)),
        owner="shop-staging",
        secret_names=("TOP_SECRET",),
        digest="",
    )


def test_a_port_that_is_not_published(config: MakeConfig) -> None:
    assert wanted(config(traefik={"publish": False})).publish is None


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, ("--log.level=DEBUG",)),
        ({"log.level": "INFO"}, ("--log.level=INFO",)),
        ({"ping": True}, ("--log.level=DEBUG", "--ping")),
        ({"api.insecure": False}, ("--log.level=DEBUG", "--api.insecure=false")),
        ({"entrypoints.http.address": ":80"}, ("--log.level=DEBUG", "--entrypoints.http.address=:80")),
        ({"a": ["1", "2"]}, ("--log.level=DEBUG", "--a=1", "--a=2")),
    ],
)
def test_traefiks_command_line(config: MakeConfig, args: dict[str, Any], words: tuple[str, ...]) -> None:
    assert proxy_arguments(wanted(config(traefik={"args": args}))) == ("--providers.docker", *words)


def test_only_hosts_with_a_routed_role_run_it(config: MakeConfig) -> None:
    workers = config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.2"]})
    assert proxy(workers) is not None
    assert proxy(workers, host="192.0.2.2") is None


@pytest.mark.parametrize(
    ("command", "is_wanted"), [("deploy", True), ("setup", True), ("redeploy", False), ("rollback", False)]
)
def test_redeploy_and_rollback_leave_it_alone(config: MakeConfig, command: str, is_wanted: bool) -> None:
    assert (proxy(config(), command=command) is not None) is is_wanted


def test_a_run_for_a_worker_role_leaves_it_alone(config: MakeConfig) -> None:
    both = config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.1"]})
    assert proxy(both, roles=("job",)) is None
    assert proxy(both, roles=("web",)) is not None


BEFORE: dict[str, Any] = {"traefik": {"env": {"clear": {"A": "1"}, "secret": ["TOP_SECRET"]}}}


@pytest.mark.parametrize(
    "edit",
    [
        {"traefik": {"image": "traefik:v3.1"}},
        {"traefik": {"host_port": 8080}},
        {"traefik": {"publish": False}},
        {"traefik": {"labels": {"x": "1"}}},
        {"traefik": {"args": {"ping": True}}},
        {"traefik": {"options": {"memory": "64m"}}},
        {"traefik": {"env": {"clear": {"A": "2"}, "secret": ["TOP_SECRET"]}}},
        {"logging": {"driver": "local"}},
    ],
)
def test_the_digest_changes_with_everything_that_traefik_is_given(config: MakeConfig, edit: dict[str, Any]) -> None:
    assert wanted(config(**BEFORE)).digest != wanted(config(**(BEFORE | edit))).digest


def test_a_rotated_secret_is_seen_beside_the_digest(config: MakeConfig) -> None:
    before, after = wanted(config(**BEFORE)), wanted(config(**BEFORE, environ=SECRETS | {"TOP_SECRET": "rotated"}))
    assert before.digest == after.digest
    assert before.secrets != after.secrets


@pytest.mark.parametrize(
    "edit", [{"service": "blog"}, {"destination": "staging"}, {"labels": {"x": "1"}}, {"env": {"A": "1"}}]
)
def test_two_services_with_the_same_section_want_the_same_proxy(config: MakeConfig, edit: dict[str, Any]) -> None:
    assert wanted(config(**BEFORE)).digest == wanted(config(**(BEFORE | edit))).digest
