"""Kamal 1.9's names and paths, each as text: both tools must find each other's work."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from tests.conftest import MakeConfig

RUN_ID = "0123456789abcdef" * 2


def all_names(config: Config) -> dict[str, str]:
    return {
        "service": naming.service_name(config),
        "prefix": naming.container_prefix(config, "web"),
        "container": naming.container_name(config, "web", "abc"),
        "secrets of a role": naming.role_env_file(config, "web"),
        "secrets of the proxy": naming.proxy_env_file(config),
        "cord": naming.cord_directory(config, "web", RUN_ID),
        "assets": naming.assets_path(config, "volumes", naming.container_name(config, "web", "abc")),
        "lock": naming.lock_directory(config),
        "audit": naming.audit_log(config),
    }


def test_names_without_destination(config: MakeConfig) -> None:
    assert all_names(config()) == {
        "service": "shop",
        "prefix": "shop-web",
        "container": "shop-web-abc",
        "secrets of a role": ".kamal/env/roles/shop-web.env",
        "secrets of the proxy": ".kamal/env/traefik/traefik.env",
        "cord": ".kamal/cords/shop-web-0123456789abcdef0123456789abcdef",
        "assets": ".kamal/assets/volumes/shop-web-abc",
        "lock": ".kamal/locks/shop",
        "audit": ".kamal/shop-audit.log",
    }


def test_names_with_destination_and_an_absolute_run_directory(config: MakeConfig) -> None:
    assert all_names(config(destination="staging", run_directory="/var/lib/kamal")) == {
        "service": "shop-staging",
        "prefix": "shop-web-staging",
        "container": "shop-web-staging-abc",
        "secrets of a role": "/var/lib/kamal/env/roles/shop-web-staging.env",
        "secrets of the proxy": "/var/lib/kamal/env/traefik/traefik.env",
        "cord": "/var/lib/kamal/cords/shop-web-staging-0123456789abcdef0123456789abcdef",
        "assets": "/var/lib/kamal/assets/volumes/shop-web-staging-abc",
        "lock": "/var/lib/kamal/locks/shop-staging",
        "audit": "/var/lib/kamal/shop-staging-audit.log",
    }


@pytest.mark.parametrize("kind", ["extracted", "volumes"])
def test_assets_of_two_containers_lie_side_by_side(config: MakeConfig, kind: str) -> None:
    path = naming.assets_path(config(), kind, "shop-web-v2")
    assert path == f".kamal/assets/{kind}/shop-web-v2"
    assert naming.assets_sibling(path, "shop-web-v1") == f".kamal/assets/{kind}/shop-web-v1"


@pytest.mark.parametrize(
    ("destination", "latest"),
    [(None, "registry.example.com/acme/shop:latest"), ("staging", "registry.example.com/acme/shop:latest-staging")],
)
def test_image_tags(config: MakeConfig, destination: str | None, latest: str) -> None:
    registry = {"server": "registry.example.com", "username": "acme", "password": ["REGISTRY_PASSWORD"]}
    loaded = config(destination=destination, registry=registry)
    assert naming.image_reference(loaded, "abc") == "registry.example.com/acme/shop:abc"
    assert naming.image_reference(loaded, naming.latest_tag(loaded)) == latest


def test_the_name_of_a_container_that_steps_aside() -> None:
    assert naming.replaced_name("shop-web-abc", "0123456789abcdef") == "shop-web-abc_replaced_0123456789abcdef"


def test_the_proxy_is_called_traefik_on_every_host() -> None:
    assert naming.PROXY_CONTAINER == "traefik"


@pytest.mark.parametrize(
    ("host", "hostname"),
    [
        ("192.0.2.1", "192.0.2.1-0123456789ab"),
        (f"{'h' * 60}.example.com", f"{'h' * 51}-0123456789ab"),
        (f"{'h' * 50}.example.com", f"{'h' * 50}-0123456789ab"),
    ],
)
def test_the_host_name_inside_a_container(host: str, hostname: str) -> None:
    assert naming.container_hostname(host, "0123456789ab") == hostname


@given(host=st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,100})", fullmatch=True))
def test_the_host_name_inside_a_container_is_one_that_linux_takes(host: str) -> None:
    hostname = naming.container_hostname(host, RUN_ID[:12])
    assert len(hostname) <= 64
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[^.])?-0123456789ab", hostname)


@given(host=st.text("ab.", min_size=1), other=st.text("ab.", min_size=1))
def test_two_runs_never_share_a_host_name(host: str, other: str) -> None:
    assert naming.container_hostname(host, "1" * 12) != naming.container_hostname(other, "2" * 12)


@given(role=st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), run=st.from_regex("[0-9a-f]{32}", fullmatch=True))
def test_a_cord_directory_names_role_and_run(role: str, run: str) -> None:
    config = Config.model_construct(service="shop", run_directory=".kamal")
    assert naming.cord_directory(config, role, run) == f".kamal/cords/shop-{role}-{run}"
