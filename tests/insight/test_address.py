"""Where the app can be reached."""

from __future__ import annotations

import pytest

from kamal_pyinfra.insight.routed import addresses
from tests.shell.builders import golden_config

CONFIG = """
service: shop
image: acme/shop
servers:
  web:
    hosts: [192.0.2.1, 192.0.2.2]
    labels: {%s}
  job: {hosts: [192.0.2.3], cmd: bin/jobs}
registry: {username: acme, password: [KAMAL_REGISTRY_PASSWORD]}
%s
"""
RULE = "traefik.http.routers.shop-web.rule"


@pytest.mark.parametrize(
    ("labels", "more", "urls"),
    [
        ("", "", ("http://192.0.2.1", "http://192.0.2.2")),
        ("", "traefik: {host_port: 8080}", ("http://192.0.2.1:8080", "http://192.0.2.2:8080")),
        ("", "traefik: {host_port: '10.0.0.1:8080'}", ("http://192.0.2.1:8080", "http://192.0.2.2:8080")),
        (f"{RULE}: 'Host(`a.example`) || Host(`b.example`)'", "", ("http://a.example", "http://b.example")),
        (f"{RULE}: 'Host(`a.example`) && PathPrefix(`/api`)'", "", ("http://a.example/api",)),
        (
            f"{RULE}: 'Host(`a.example`)', traefik.http.routers.shop-web.tls.certresolver: letsencrypt",
            "",
            ("https://a.example",),
        ),
        (
            f"{RULE}: 'Host(`a.example`)', traefik.http.routers.shop-web.entrypoints: secure",
            "traefik: {args: {entrypoints.secure.address: ':443'}}",
            ("https://a.example",),
        ),
    ],
)
def test_names_of_rules_come_before_addresses_of_hosts(labels: str, more: str, urls: tuple[str, ...]) -> None:
    assert addresses(golden_config(CONFIG % (labels, more))) == urls


def test_an_ipv6_address_stands_in_brackets():
    text = (CONFIG % ("", "traefik: {host_port: 8080}")).replace(
        "[192.0.2.1, 192.0.2.2]", "['2001:db8::1', 'ops@[2001:db8::2]:2222', 'fe80::1%eth0', 'deploy@web1:22']"
    )
    assert addresses(golden_config(text)) == (
        "http://[2001:db8::1]:8080",
        "http://[2001:db8::2]:8080",
        "http://[fe80::1%25eth0]:8080",
        "http://web1:8080",
    )
