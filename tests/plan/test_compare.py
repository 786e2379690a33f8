"""A container that Docker really made, compared with the configuration that it was made from, and with others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kamal_pyinfra.config.env import HostText
from kamal_pyinfra.facts.snapshot import parse_snapshot
from kamal_pyinfra.naming import DIGEST_LABEL
from kamal_pyinfra.plan.compare.container import config_differences
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.desired import clear_check
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, ObservedHost
from kamal_pyinfra.shell.snapshot import GO_NAMES, IMAGE_TEMPLATE
from tests.conftest import MakeConfig, a_run, as_deployed
from tests.facts.go_template import render
from tests.facts.looked_at import lines_of
from tests.plan.hosts import HOST, deployed, fresh

FIXTURES = Path(__file__).parent.parent / "fixtures/docker"
OPTIONS: dict[str, Any] = {
    "memory": "256m",
    "memory-reservation": "128m",
    "memory-swap": "1g",
    "cpus": 1.5,
    "cpu-shares": 512,
    "cpuset-cpus": "0-1",
    "pids-limit": 100,
    "cap-add": ["NET_ADMIN", "CAP_SYS_TIME"],
    "cap-drop": "mknod",
    "read-only": True,
    "init": True,
    "network": "bridge",
    "add-host": ["db:10.0.0.1", "six=[::1]"],
    "dns": "10.0.0.53",
    "group-add": "audio",
    "security-opt": "no-new-privileges",
    "ulimit": ["nofile=1024", "nproc=100:200"],
    "shm-size": "128m",
    "user": "1000:1000",
    "workdir": "/srv/",
    "stop-signal": "SIGINT",
    "publish": ["8080:80", "127.0.0.1:8081:81/UDP", "[::1]:8082:82"],
    "restart": "on-failure:3",
    "tmpfs": "/scratch",
}
ROLE: dict[str, Any] = {
    "hosts": [HOST],
    "traefik": False,
    "cmd": "bin/serve --port 80",
    "options": OPTIONS,
    "healthcheck": {"cmd": "true", "interval": "1m30s", "cord": False},
    "logging": {"driver": "local", "options": {"max-size": "5m"}},
}
SECTIONS: dict[str, Any] = {
    "image": "registry.example.com/shop",
    "labels": {"team": "shop"},
    "volumes": ["data:/data", "/srv/files:/files:ro", "/anonymous"],
    "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
}
"""What tests/fixtures/docker/inspect_options.json was started with, as deploy.yml would have it."""


def inspected(name: str) -> dict[str, Any]:
    """What ``docker inspect`` returned, with the names that templates know."""
    shown: dict[str, Any] = json.loads((FIXTURES / f"inspect_{name}.json").read_text())
    options = shown.get("HostConfig", {})
    return shown | {"ID": shown["Id"], "HostConfig": options | {go: options.get(key) for key, go in GO_NAMES.items()}}


def looked_at(name: str) -> ObservedHost:
    """A host with one real container of one real image."""
    return parse_snapshot(
        HOST,
        [
            *("user deploy", "home /home/deploy", "docker 26.1.5"),
            *lines_of(inspected(name), clear=("COLOR",)),
            render(IMAGE_TEMPLATE, inspected("image")),
            "end",
        ],
    )


Differ = Callable[..., list[str]]


@pytest.fixture
def differences(config: MakeConfig) -> Differ:
    """What differs between the real container and the configuration with some keys changed."""

    def texts(*, role: dict[str, Any] | None = None, **sections: Any) -> list[str]:
        servers = {"web": {key: value for key, value in (ROLE | (role or {})).items() if value is not None}}
        edited = {key: value for key, value in (SECTIONS | sections).items() if value is not None}
        seen = looked_at("options")
        wanted = desired_host(a_run(config(servers=servers, **edited)), HOST)
        return [each.text for each in config_differences(wanted.containers[0], seen.containers[0], seen)]

    return texts


def without(name: str) -> dict[str, Any]:
    """All options but one."""
    return {"options": {key: value for key, value in OPTIONS.items() if key != name}}


def test_what_kamal_started_with_every_option_is_as_configured(differences: Differ) -> None:
    """Without our digest it is compared by what inspect shows, and by nothing else."""
    assert differences() == []


def test_a_real_image_gives_a_container_what_it_does_not_ask_for() -> None:
    assert looked_at("options").image_defaults == {
        "sha256:" + inspected("image")["Id"].removeprefix("sha256:"): ImageDefaults(
            env=frozenset({"PATH", "LANG", "COLOR"}),
            labels={"maker": "acme", "service": "shop"},
            command=("serve", "--port", "3000"),
            health_command="bin/alive",
        )
    }


@pytest.mark.parametrize(
    ("sections", "texts"),
    [
        ({"env": {"clear": {"COLOR": "green"}, "secret": ["TOP_SECRET"]}}, ["env COLOR changed"]),
        (
            {"env": {"clear": {"COLOR": "blue", "SIZE": "1"}, "secret": ["TOP_SECRET"]}},
            ["env SIZE: (not set) → 1"],
        ),
        ({"env": {"clear": {"COLOR": "blue"}}}, ["env TOP_SECRET removed"]),
        ({"env": {"clear": {"COLOR": "blue", "TOP_SECRET": "${X}"}}}, []),
        ({"labels": {"team": "blog"}}, ["label team: shop → blog"]),
        ({"labels": {"team": "shop", "tier": "1"}}, ["label tier: (not set) → 1"]),
        ({"labels": None}, ["label team: shop → (not set)"]),
        ({"labels": {"team": "shop", "maker": "acme"}}, []),
        ({"volumes": ["data:/data", "/srv/files:/files:ro"]}, []),
        ({"volumes": ["data:/data/", "/srv/files:/files/:ro", "/anonymous"]}, []),
        ({"volumes": ["data:/data", "/srv/files:/files"]}, ["volume /files: /srv/files:ro → /srv/files"]),
        ({"volumes": ["other:/data", "/srv/files:/files:ro"]}, ["volume /data: data → other"]),
        (
            {"volumes": ["data:/data", "/srv/files:/files:ro", "new:/new"]},
            ["volume /new: (not mounted) → new"],
        ),
        ({"volumes": ["./data:/data", "/srv/files:/files:ro"]}, []),
    ],
)
def test_a_changed_root_key_is_the_whole_difference(
    differences: Differ, sections: dict[str, Any], texts: list[str]
) -> None:
    assert differences(**sections) == texts


def test_a_volume_that_nothing_asks_for_shows_unless_an_option_may_have_mounted_it(differences: Differ) -> None:
    fewer = ["data:/data", "/anonymous"]
    assert differences(volumes=fewer) == []
    assert differences(volumes=fewer, role=without("tmpfs")) == ["volume /files: /srv/files:ro → (not set)"]


@pytest.mark.parametrize(
    ("role", "texts"),
    [
        ({"cmd": "bin/serve --port 81"}, ["cmd: bin/serve --port 80 → bin/serve --port 81"]),
        ({"cmd": None}, ["cmd: bin/serve --port 80 → the image's"]),
        ({"logging": {"driver": "local"}}, ["log option max-size: 5m → (not set)"]),
        ({"logging": {"options": {"max-size": "5m"}}}, []),
        (
            {"logging": {"driver": "json-file", "options": {"max-size": "9m", "max-file": "3"}}},
            [
                "log driver: local → json-file",
                "log option max-file: (not set) → 3",
                "log option max-size: 5m → 9m",
            ],
        ),
        ({"logging": None}, ["log option max-size: 5m → 10m"]),
        (
            {"healthcheck": {"cmd": "false", "interval": "1m30s", "cord": False}},
            ["health check: true → false"],
        ),
        (
            {"healthcheck": {"cmd": "true", "interval": "5s", "cord": False}},
            ["health interval: 1m30s → 5s"],
        ),
        ({"healthcheck": None}, ["health check: true → bin/alive"]),
        (without("memory"), ["memory: 256m → (not set)"]),
        (without("restart"), ["restart: on-failure → unless-stopped"]),
        (without("publish"), ["publish: 127.0.0.1:8081:81/udp 8080:80 [::1]:8082:82 → (not set)"]),
    ],
)
def test_a_changed_key_of_a_role_is_the_whole_difference(
    differences: Differ, role: dict[str, Any], texts: list[str]
) -> None:
    assert differences(role=role) == texts


@pytest.mark.parametrize(
    ("kept", "role"),
    [
        ("health check", {"healthcheck": None, "options": OPTIONS | {"health-cmd": "true", "health-interval": "90s"}}),
        ("health check", {"healthcheck": None, "options": OPTIONS | {"no-healthcheck": True}}),
        ("log driver", {"logging": None, "options": OPTIONS | {"log-driver": "local", "log-opt": "max-size=5m"}}),
        ("cmd", {"cmd": None, "options": OPTIONS | {"entrypoint": "bin/serve --port 80"}}),
    ],
)
def test_what_an_option_gives_instead_of_its_key_is_no_difference(
    differences: Differ, kept: str, role: dict[str, Any]
) -> None:
    assert differences(role=role) == []


@pytest.mark.parametrize(
    ("sections", "options"),
    [
        ({"labels": None}, {"label": ["team=shop"]}),
        ({"labels": None}, {"label-file": "/srv/labels"}),
        ({"env": {"clear": {"COLOR": "blue"}}}, {"env": "TOP_SECRET=a=b c"}),
        ({"env": {"clear": {"COLOR": "blue"}}}, {"env-file": "/srv/env"}),
    ],
)
def test_names_that_an_option_gives_are_asked_for(
    differences: Differ, sections: dict[str, Any], options: dict[str, Any]
) -> None:
    assert differences(role={"options": OPTIONS | options}, **sections) == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "no_proxy"])
def test_what_the_engine_s_client_gives_every_container_is_nobody_s_change(config: MakeConfig, name: str) -> None:
    """With `proxies` in ~/.docker/config.json on the host."""
    seen = deployed(config(), "v2")
    container = replace(seen.containers[0], env={**seen.containers[0].env, name: None})
    wanted = desired_host(a_run(config()), HOST).containers[0]
    assert config_differences(wanted, container, seen) == ()


def test_a_container_in_the_host_s_namespaces_is_as_configured(config: MakeConfig) -> None:
    options = {"privileged": True, "pid": "host", "ipc": "host", "network": "host", "restart": "no"}
    role = {"hosts": [HOST], "options": options | {"security-opt": "seccomp=unconfined"}}
    seen = looked_at("host_namespaces")
    job = config(servers={"web": [HOST], "job": role}, image="registry.example.com/shop")
    _, container = desired_host(a_run(job), HOST).containers
    assert [each.text for each in config_differences(container, seen.containers[0], seen)] == [
        "label destination: (not set) → ",
        "log option max-size: (not set) → 10m",
    ]


def test_a_digest_that_differs_where_inspect_shows_nothing_says_so(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    labels = dict(seen.containers[0].labels) | {DIGEST_LABEL: "another"}
    relabelled: ObservedContainer = replace(seen.containers[0], labels=labels)
    wanted = desired_host(a_run(config()), HOST).containers[0]
    assert [each.text for each in config_differences(wanted, relabelled, seen)] == ["options changed"]


def test_without_knowing_the_image_nothing_counts_as_surplus(config: MakeConfig) -> None:
    """It may be the image's own."""
    before = config(env={"OLD": "1"}, labels={"old": "1"}, servers={"web": [HOST], "job": {"hosts": [HOST]}})
    seen = replace(deployed(before, "v2"), image_defaults={})
    wanted = desired_host(a_run(config()), HOST).containers[0]
    assert [each.text for each in config_differences(wanted, seen.containers[0], seen)] == ["options changed"]
    assert fresh().image_defaults == {}


def test_a_value_that_only_a_variable_made_expandable_is_compared(config: MakeConfig) -> None:
    """The host's shell leaves it alone, so it can be compared; what the file leaves to the host cannot."""
    brought, left = HostText("", "a${HOME}b", ""), HostText("${HOME}", "x", "")
    wanted = desired_host(a_run(config(servers=["192.0.2.1"], env={"clear": {"A": "a", "B": "b"}})), HOST)
    container = replace(wanted.containers[0], env=(("A", brought), ("B", left)))
    seen = as_deployed(wanted)
    there = replace(seen.containers[0], env=seen.containers[0].env | {"A": "a/rootb", "B": "/rootx"}, labels={})
    texts = [each.text for each in config_differences(container, there, seen)]
    assert [text for text in texts if text.startswith("env")] == ["env A: a/rootb → a${HOME}b"]


def test_the_old_value_is_shown_where_the_container_itself_says_that_it_is_clear(config: MakeConfig) -> None:
    """Else it may be a secret of yesterday: then only that it differs."""
    wanted = desired_host(
        a_run(config(servers=["192.0.2.1"], env={"clear": {"COLOR": "green", "API_TOKEN": "demo"}})), HOST
    )
    seen = as_deployed(wanted)
    yesterday = {"COLOR": "blue", "API_TOKEN": None}
    sums = {"API_TOKEN": clear_check("API_TOKEN", "s3cr3t")}
    container = replace(seen.containers[0], env=seen.containers[0].env | yesterday, labels={}, clear_checks=sums)
    texts = [each.text for each in config_differences(wanted.containers[0], container, seen)]
    assert [text for text in texts if text.startswith("env")] == ["env COLOR: blue → green", "env API_TOKEN changed"]
    same = replace(container, clear_checks={"API_TOKEN": clear_check("API_TOKEN", "demo")})
    texts = [each.text for each in config_differences(wanted.containers[0], same, seen)]
    assert [text for text in texts if text.startswith("env")] == ["env COLOR: blue → green"]
