"""The digests in labels of a running fleet: another one for the same settings would replace every container."""

from __future__ import annotations

from typing import Any

from kamal_pyinfra.plan.desired import desired_host
from tests.conftest import MakeConfig, a_run

HOST = "192.0.2.1"

FULL: dict[str, Any] = {
    "labels": {"team": "shop"},
    "volumes": ["data:/data", "./logs:/logs:ro"],
    "asset_path": "/app/public",
    "env": {"clear": {"COLOR": "dark blue", "AT": "${HOME}"}, "secret": ["TOP_SECRET"]},
    "logging": {"driver": "local", "options": {"max-size": "5m"}},
    "servers": {
        "web": {"hosts": [HOST], "cmd": "bin/serve -p 80", "options": {"memory": "256m", "init": True}},
        "job": {"hosts": [HOST], "cmd": "bin/jobs", "options": {"publish": ["81:81", "82:82"], "init": False}},
    },
    "traefik": {
        "image": "traefik:v2.10",
        "host_port": 8080,
        "options": {"memory": "64m"},
        "args": {"accesslog": True, "entryPoints.web.address": ":80"},
        "labels": {"tier": "edge"},
        "env": {"clear": {"ZONE": "eu"}, "secret": ["TOP_SECRET"]},
    },
    "accessories": {
        "db": {
            "image": "mysql:8",
            "host": HOST,
            "port": "127.0.0.1:3306:3306",
            "cmd": "mysqld --verbose",
            "env": {"clear": {"LEVEL": "one two"}, "secret": ["TOP_SECRET"]},
            "labels": {"tier": "data"},
            "options": {"cpus": 2},
            "volumes": ["cache:/cache"],
            "directories": ["data:/var/lib/mysql"],
        },
        "cache": {"image": "redis", "host": HOST},
    },
}


def digests(config: Any) -> dict[str, str]:
    desired = desired_host(a_run(config, command="setup"), HOST)
    assert desired.proxy is not None
    return {
        desired.proxy.name: desired.proxy.digest,
        **{container.name: container.digest for container in desired.containers},
        **{accessory.name: accessory.digest for accessory in desired.accessories},
    }


def test_the_digests_of_the_simplest_configuration(config: MakeConfig) -> None:
    assert digests(config()) == {
        "traefik": "238700f918c060ec72a561c1d3816fb2",
        "shop-web-v2": "e34e049000bc7afc66a3d63ba2a242de",
    }


def test_the_digests_of_a_configuration_with_all_settings(config: MakeConfig) -> None:
    assert digests(config(**FULL)) == {
        "traefik": "fb9a6b0e42e97a9d9453364982e4dc4a",
        "shop-web-v2": "c57e8d4530a613e16928ca4dd786fc67",
        "shop-job-v2": "22d0c8464d5839746b645f0452e96e2b",
        "shop-db": "60be4c00cb66321417b8c37ae7705cf1",
        "shop-cache": "30dcae63f0888f12aa1545599f9cad79",
    }
