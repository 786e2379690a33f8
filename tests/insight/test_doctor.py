"""`kp doctor` judges what was found; each check comes to ok, warn or fail, with the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.insight.doctor import (
    Check,
    Requirements,
    Share,
    check_host,
    check_local_docker,
    check_local_registry,
    check_names,
    check_unreachable,
    requirements_of,
    share,
)
from kamal_pyinfra.plan.proxy.traefik import host_ports, host_rules
from kamal_pyinfra.plan.state.observed import Disk, Docker, Findings
from tests.conftest import MakeConfig

GB = 1024**3
NEEDS = Requirements(
    host="web1",
    address="deploy@web1 -p 22",
    run_directory=".kamal",
    ports=(80, 443),
    registry="registry.example.com",
    shares=(Share(container="web", cpus=1, memory=2 * GB), Share(container="db", memory=GB)),
)
FIT = Findings(
    user="deploy",
    docker=Docker(installed=True, version="26.1.5"),
    clock=1000,
    cpus=2,
    memory=4 * GB,
    disks=(Disk(path="/home/deploy", size=100 * GB, available=50 * GB),),
    published={80: "traefik"},
    listening=frozenset({22, 80}),
    registry="https 401",
)


def text(checks: Iterable[Check]) -> str:
    return "".join(
        f"{check.host} {check.name} {check.verdict}: {check.message}{f' -> {check.way_out}' if check.way_out else ''}\n"
        for check in checks
    )


def problems(needs: Requirements = NEEDS, skew: int = 0, **found: object) -> str:
    checks = check_host(needs, replace(FIT, **found), skew=skew)
    return text(tuple(check for check in checks if check.verdict != "ok"))


def test_a_host_that_is_fit() -> None:
    assert text(check_host(NEEDS, FIT, skew=-30)) == (
        "web1 ssh ok: connected as deploy\n"
        "web1 docker ok: version 26.1.5, usable by deploy\n"
        "web1 disk ok: 50.0 GB (50%) free at /home/deploy\n"
        "web1 clock ok: as on this machine\n"
        "web1 port ok: 80 is published by the proxy\n"
        "web1 port ok: 443 is free\n"
        "web1 registry ok: registry.example.com answers\n"
        "web1 directory ok: .kamal can be written to\n"
        "web1 limits ok: web may use 1 of 2 CPUs (50%)\n"
        "web1 limits ok: web, db may use 3.0 GB of 4.0 GB memory (75%)\n"
    )


@pytest.mark.parametrize(
    ("docker", "problem"),
    [
        (Docker(installed=False), "fail: not installed -> `kp setup` installs it"),
        (
            Docker(installed=True, error="permission denied while trying to connect"),
            "fail: deploy may not use it -> `usermod -aG docker deploy` there, or `sudo: true` for this host",
        ),
        (
            Docker(installed=True, error="Cannot connect to the \x1b[31mDocker daemon"),
            "fail: does not answer: Cannot connect to the Docker daemon -> `systemctl status docker` there",
        ),
        (
            Docker(installed=True, version="19.03.9"),
            "warn: version 19.03.9 -> 20.10 is the oldest that this is tested with; upgrade",
        ),
    ],
)
def test_docker_must_be_there_new_enough_and_ours_to_use(docker: Docker, problem: str) -> None:
    assert problems(docker=docker) == f"web1 docker {problem}\n"


@pytest.mark.parametrize("version", ["20.10.0", "20.10.24+dfsg1", "23.0", "29.1.3"])
def test_these_versions_of_docker_will_do(version: str) -> None:
    assert problems(docker=Docker(installed=True, version=version)) == ""


@pytest.mark.parametrize(
    ("size", "available", "problem"),
    [
        (100, 9, "9.0 GB (9%) free at /"),
        (10, 1, "1.0 GB (10%) free at /"),
        (100, 10, None),
        (4, 2, None),
    ],
)
def test_a_disk_needs_a_tenth_and_two_gigabytes(size: int, available: int, problem: str | None) -> None:
    way_out = "make room (`docker system df` there shows what Docker has), or grow the disk"
    found = problems(disks=(Disk(path="/", size=size * GB, available=available * GB),))
    assert found == ("" if problem is None else f"web1 disk warn: {problem} -> {way_out}\n")


@pytest.mark.parametrize(("skew", "said"), [(31, "31 s ahead of"), (-3600, "3600 s behind")])
def test_a_clock_that_is_wrong(skew: int, said: str) -> None:
    assert problems(skew=skew) == f"web1 clock warn: {said} this machine -> `timedatectl set-ntp true` there, or here\n"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"published": {80: "nginx"}}, "80 is published by container nginx"),
        ({"published": {}, "programs": {80: "apache2"}}, "80 is taken by apache2"),
        ({"published": {}}, "80 is taken by another program"),
    ],
)
def test_a_port_that_is_not_ours(found: dict[str, object], said: str) -> None:
    assert problems(**found) == f"web1 port fail: {said} -> stop it, or set traefik/host_port\n"


LOOK = "check the name, the firewall and the proxy settings of the host"


@pytest.mark.parametrize(
    ("server", "said", "problem"),
    [
        ("registry.example.com", "https 200", None),
        ("registry.example.com", "tcp", None),
        ("localhost:5000", "http 401", None),
        ("registry.example.com", "failed", f"fail: registry.example.com cannot be reached -> {LOOK}"),
        ("registry.example.com", "https 503", f"fail: registry.example.com answers 503 -> {LOOK}"),
        (
            "registry.example.com",
            "http 200",
            "warn: registry.example.com answers without TLS only -> "
            "Docker wants HTTPS unless the registry is in its `insecure-registries`",
        ),
        (
            "registry.example.com",
            "",
            "warn: registry.example.com was not tried: neither curl, wget nor bash is installed",
        ),
    ],
)
def test_the_registry_must_answer_the_host(server: str, said: str, problem: str | None) -> None:
    found = problems(replace(NEEDS, registry=server), registry=said)
    assert found == ("" if problem is None else f"web1 registry {problem}\n")


def test_without_a_registry_images_must_be_built_here() -> None:
    assert text(
        check_local_docker(answer, said, is_needed=is_needed)
        for is_needed in (True, False)
        for answer, said in (("26.1.5", ""), ("", ""), ("", "connect: permission denied"), ("", "exit code 1"))
    ) == (
        "this machine docker ok: version 26.1.5\n"
        "this machine docker fail: not installed, so no image can be built -> install it\n"
        "this machine docker fail: does not answer: connect: permission denied -> "
        "`sudo usermod -aG docker $USER`, then log in again\n"
        "this machine docker fail: does not answer: exit code 1 -> make `docker version` work here\n"
        "this machine docker ok: version 26.1.5\n"
        "this machine docker warn: not installed, so no image can be built -> "
        "install it, or deploy what was built elsewhere with `--skip-push`\n"
        "this machine docker warn: does not answer: connect: permission denied -> "
        "`sudo usermod -aG docker $USER`, then log in again, or deploy what was built elsewhere with `--skip-push`\n"
        "this machine docker warn: does not answer: exit code 1 -> "
        "make `docker version` work here, or deploy what was built elsewhere with `--skip-push`\n"
    )


def test_from_here_a_registry_that_is_out_of_reach_is_a_warning() -> None:
    assert text(
        (check_local_registry("r.example.com", "failed"), check_local_registry("r.example.com", "https 200"))
    ) == (
        "this machine registry warn: r.example.com cannot be reached -> "
        "check the name, the firewall and the proxy settings of this machine\n"
        "this machine registry ok: r.example.com answers\n"
    )


def test_a_folder_that_cannot_be_written_to() -> None:
    assert problems(replace(NEEDS, run_directory="/opt/kamal"), is_writable=False) == (
        "web1 directory fail: /opt/kamal cannot be written to by deploy -> give it to deploy, or set run_directory\n"
    )


def test_containers_that_may_take_all_of_a_host() -> None:
    shares = (Share(container="web", cpus=1.5, memory=3 * GB), Share(container="job", cpus=0.4, memory=GB))
    assert problems(replace(NEEDS, shares=shares)) == (
        "web1 limits warn: web, job may use 1.9 of 2 CPUs (95%) -> "
        "lower options/cpus, to leave some for the host itself\n"
        "web1 limits warn: web, job may use 4.0 GB of 4.0 GB memory (100%) -> "
        "lower options/memory, to leave some for the host itself\n"
    )
    assert problems(replace(NEEDS, shares=(Share(container="web", cpus=3),))) == (
        "web1 limits fail: web asks for 3 CPUs, the host has 2 -> Docker refuses that; lower options/cpus\n"
    )
    assert problems(replace(NEEDS, shares=shares), cpus=None, memory=None) == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("[web1] Could not connect (timed out)",), "Could not connect (timed out)"),
        (("one", "no answer within 50 s"), "no answer within 50 s"),
        ((), "no answer in time"),
    ],
)
def test_a_host_that_cannot_be_reached(said: tuple[str, ...], message: str) -> None:
    assert text(check_unreachable(NEEDS, said)) == (
        f"web1 ssh fail: {message} -> make `ssh deploy@web1 -p 22` work from the deploying machine\n"
    )


ADDRESSES = {
    "shop.example.com": ("192.0.2.1",),
    "www.example.com": ("192.0.2.1", "192.0.2.99"),
    "web2": ("192.0.2.2",),
    "v2.example.com": ("192.0.2.2",),
}


def names(*rules: str, for_certificates: bool = False) -> str:
    return text(check_names(dict.fromkeys(rules, ("192.0.2.1", "web2")), ADDRESSES, for_certificates=for_certificates))


def test_names_of_rules_lead_to_their_hosts() -> None:
    assert names("shop.example.com", "v2.example.com", "www.example.com", "gone.example.com") == (
        "this machine name ok: shop.example.com resolves to 192.0.2.1\n"
        "this machine name ok: v2.example.com resolves to 192.0.2.2\n"
        "this machine name warn: www.example.com resolves to 192.0.2.99, which is none of its hosts -> "
        "if that is no load balancer of yours, point it to 192.0.2.1, web2\n"
        "this machine name warn: gone.example.com does not resolve -> "
        "add a DNS record to 192.0.2.1, web2; no user can reach the app by it before\n"
    )
    assert names("gone.example.com", for_certificates=True).endswith("; no certificate can be issued before\n")


def test_what_the_configuration_asks_of_a_host(config: MakeConfig) -> None:
    found = config(
        registry={"server": "registry.example.com", "username": "u", "password": ["REGISTRY_PASSWORD"]},
        servers={
            "web": {
                "hosts": ["192.0.2.1", {"192.0.2.2": {"user": "app", "port": 2222}}],
                "options": {"memory": "512m"},
            },
            "job": {"hosts": ["192.0.2.2"], "options": {"cpus": 0.5}},
        },
        traefik={"options": {"publish": ["443:443", "192.0.2.2:8443:8443/tcp", "53:53/udp"], "memory": "1g"}},
        accessories={
            "db": {"image": "postgres", "host": "192.0.2.2", "options": {"memory": "2G"}},
            "cache": {"image": "redis", "roles": ["job"], "options": {"cpus": 1}},
            "other": {"image": "x", "hosts": ["192.0.2.9"], "options": {"cpus": 9}},
        },
        run_directory="/opt/kamal",
    )
    assert requirements_of(found, found.all_hosts[-1], "root@192.0.2.9 -p 22") == Requirements(
        host="192.0.2.9",
        address="root@192.0.2.9 -p 22",
        run_directory="/opt/kamal",
        ports=(),
        registry="registry-1.docker.io",
        shares=(Share(container="other", cpus=9),),
    )
    addresses = ("root@192.0.2.1 -p 22", "app@192.0.2.2 -p 2222")
    asked = zip(found.role_hosts, addresses, strict=True)
    assert [requirements_of(found, server, address) for server, address in asked] == [
        Requirements(
            host="192.0.2.1",
            address="root@192.0.2.1 -p 22",
            run_directory="/opt/kamal",
            ports=(80, 443, 8443),
            registry="registry.example.com",
            shares=(Share(container="web", memory=GB // 2), Share(container="traefik", memory=GB)),
        ),
        Requirements(
            host="192.0.2.2",
            address="app@192.0.2.2 -p 2222",
            run_directory="/opt/kamal",
            ports=(80, 443, 8443),
            registry="registry.example.com",
            shares=(
                Share(container="web", memory=GB // 2),
                Share(container="job", cpus=0.5),
                Share(container="db", memory=2 * GB),
                Share(container="cache", cpus=1),
                Share(container="traefik", memory=GB),
            ),
        ),
    ]


def test_a_proxy_that_publishes_nothing_needs_no_port(config: MakeConfig) -> None:
    found = config(traefik={"publish": False})
    assert requirements_of(found, found.role_hosts[0]).ports == ()
    assert requirements_of(found, found.role_hosts[0]).registry == "registry-1.docker.io"


def test_the_names_of_host_rules(config: MakeConfig) -> None:
    rule = 'Host(`a.example.com`, `b.example.com`) && PathPrefix(`/x`) || Host("c.example.com")'
    found = config(
        labels={
            "traefik.http.routers.shop-web.rule": "Host(`old.example.com`)",
            "other.rule": "Host(`no.example.com`)",
        },
        servers={
            "web": {"hosts": ["192.0.2.1"], "labels": {"traefik.http.routers.shop-web.rule": rule}},
            "api": {"hosts": ["192.0.2.2"], "traefik": True, "labels": {"traefik.tcp.routers.x.rule": "HostSNI(`*`)"}},
            "job": {"hosts": ["192.0.2.3"]},
        },
    )
    assert host_rules(found) == {
        "old.example.com": ("192.0.2.2",),
        "a.example.com": ("192.0.2.1",),
        "b.example.com": ("192.0.2.1",),
        "c.example.com": ("192.0.2.1",),
    }


@pytest.mark.parametrize(
    ("published", "ports"),
    [
        ("80:80", [80]),
        ("127.0.0.1:8080:80", [8080]),
        ("[::1]:81:80/tcp", [81]),
        ("80", []),
        ("53:53/udp", []),
        ("None", []),
    ],
)
def test_host_ports(published: str, ports: list[int]) -> None:
    assert list(host_ports(published)) == ports


@pytest.mark.parametrize(
    ("text", "number"),
    [("512m", 512 * 1024**2), ("1GB", GB), ("2048", 2048), ("1k", 1024), ("x", 0), (None, 0), ("1.5g", GB + GB // 2)],
)
def test_memory_as_docker_reads_it(text: object, number: int) -> None:
    assert share("web", {"memory": text}).memory == number


@given(st.text(max_size=10) | st.none() | st.integers())
def test_any_limit_can_be_read(value: object) -> None:
    found = share("web", {"memory": value, "cpus": value})
    assert min(found.memory, found.cpus) >= 0
