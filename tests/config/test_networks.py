"""Networks on which two versions of a role cannot run side by side are refused when the file is read."""

from __future__ import annotations

import pytest

from tests.config.conftest import Load, Problems

ALL_OF_HOST = (
    "two versions cannot listen on one port of the host's network, so none can boot beside the one that serves; leave "
    "it out (the proxy reaches the container at an address of its own), or set `traefik: false` for role web"
)
NOTHING = "the proxy cannot reach a container without a network; leave it out, or set `traefik: false` for role web"
JOINED = (
    "Docker gives no host name to a container in the network of another one, and app containers need one; "
    "name a network that both are on"
)


@pytest.mark.parametrize("key", ["network", "net"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("host", ALL_OF_HOST),
        ("name=host", ALL_OF_HOST),
        ("[private, host]", ALL_OF_HOST),
        ("'alias=a,name=host'", ALL_OF_HOST),
        ("none", NOTHING),
        ("container:vpn", JOINED),
    ],
)
def test_a_role_behind_the_proxy_needs_an_address_of_its_own(
    problems: Problems, key: str, value: str, message: str
) -> None:
    servers = f"{{web: {{hosts: [192.0.2.1], options: {{{key}: {value}}}}}}}"
    (line,) = problems(servers=servers).splitlines()
    _, place, text = line.split(" ", 2)
    assert (place, text) == (f"servers/web/options/{key}:", message), line


@pytest.mark.parametrize(
    "role",
    [
        "web: {hosts: [192.0.2.1], options: {network: private}}",
        "web: {hosts: [192.0.2.1], options: {network: [private, other]}}",
        "web: {hosts: [192.0.2.1], traefik: false, options: {network: host}}",
        "web: {hosts: [192.0.2.1], traefik: false, options: {network: none}}",
        "web: [192.0.2.1], job: {hosts: [192.0.2.1], options: {net: host}}",
        "web: [192.0.2.1], job: {hosts: [192.0.2.1], replicas: 2, options: {network: host}}",
    ],
)
def test_what_works_twice_is_taken(load: Load, role: str) -> None:
    assert load(servers=f"{{{role}}}").servers


def test_no_role_can_join_the_network_of_another_container(problems: Problems) -> None:
    job = "{hosts: [192.0.2.1], options: {network: 'container:vpn'}}"
    (line,) = problems(servers=f"{{web: [192.0.2.1], job: {job}}}").splitlines()
    assert line.endswith(f"servers/job/options/network: {JOINED}")
