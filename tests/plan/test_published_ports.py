"""What two versions of a role cannot both have: refused behind the proxy; without it, the old one stops first."""

from __future__ import annotations

from typing import Any

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.docker_values import published_ports
from kamal_pyinfra.plan.state.observed import ObservedHost
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, plan_of, stopped

OLD = "shop-web-v1"
LINE = (
    f"{HOST}: role web publishes port 80 of the host, which {OLD} holds: the new container cannot boot beside it. Take "
    "`publish` out of the role's options (the proxy routes to the port inside), or run `kp app stop` before "
    "each deploy"
)


@pytest.mark.parametrize("publish", ["80:3000", ["127.0.0.1:80:3000/tcp", "90:90"]])
def test_a_port_that_the_old_container_holds_is_refused(config: MakeConfig, publish: object) -> None:
    loaded = config(servers={"web": {"hosts": [HOST], "options": {"publish": publish}}})
    held = altered(deployed(loaded), OLD, ports={"3000/tcp": ("127.0.0.1:80",)})
    with pytest.raises(PlanRefused) as refused:
        plan_of(loaded, held)
    assert str(refused.value) == LINE
    assert plan_of(loaded, fresh())
    assert plan_of(loaded, stopped(held))
    assert plan_of(loaded, altered(held, OLD, ports={}))
    assert plan_of(loaded, held, version="v1")


@pytest.mark.parametrize("value", ["3000", "127.0.0.1::3000", "8000-8010:80", ["3000"], True, "3000/udp"])
def test_a_port_that_docker_chooses_stands_in_nobodys_way(value: object) -> None:
    assert published_ports((("publish", value),)) == frozenset()


def test_ports_are_found_in_every_form() -> None:
    assert published_ports((("p", ("80:80", "[::1]:81:81")), ("publish", "1.2.3.4:82:82/udp"))) == {"80", "81", "82"}


JOB = "shop-job-v1"
ON_HOST = {"NetworkMode": ("host",)}


def with_job(config: MakeConfig, options: dict[str, Any], **job: Any) -> Any:
    """A role behind the proxy, and one beside it that is not."""
    return config(servers={"web": [HOST], "job": {"hosts": [HOST], "options": options, **job}})


def stopped_first(loaded: Any, host: ObservedHost, version: str = "v2", **run: Any) -> dict[str, tuple[str, ...]]:
    desired = desired_host(a_run(loaded, version, **run), HOST)
    return {each.subject: each.stops_first for each in Comparison(desired, host).boots if each.stops_first}


@pytest.mark.parametrize("options", [{"network": "host"}, {"net": "host"}, {"network": ["name=host"]}])
def test_a_role_without_the_proxy_on_the_hosts_network_is_stopped_before_its_successor(
    config: MakeConfig, options: dict[str, Any]
) -> None:
    """Both could listen at the same addresses, so the plan marks what is interrupted."""
    loaded = with_job(config, options)
    host = altered(deployed(loaded), JOB, options=ON_HOST)
    assert stopped_first(loaded, host) == {"shop-job-v2": (JOB,)}
    marked = "interrupts job: shop-job-v1 stops first, both use the host's network\n"
    assert f"version v1 → v2; {marked}" in plan_of(loaded, host)
    assert stopped_first(loaded, fresh()) == stopped_first(loaded, stopped(host)) == {}
    assert stopped_first(loaded, host, "v1") == {}


def test_one_that_is_replaced_under_its_own_name_stops_under_the_name_it_steps_aside_with(config: MakeConfig) -> None:
    loaded = with_job(config, {"network": "host"}, cmd="work")
    host = altered(deployed(loaded), JOB, options=ON_HOST, command=("rest",), labels={"service": "shop", "role": "job"})
    desired = desired_host(a_run(loaded, "v1"), HOST)
    aside = f"{JOB}_replaced_{desired.run.replaced_suffix}"
    assert stopped_first(loaded, host, "v1") == {JOB: (aside,)}
    assert [each.name for each in Comparison(desired, host).stops] == [aside]


def test_a_port_that_a_role_without_the_proxy_publishes_is_free_before_its_successor_boots(config: MakeConfig) -> None:
    loaded = with_job(config, {"publish": ["5000:5000", "6000:6000/udp"]})
    host = altered(deployed(loaded), JOB, ports={"5000/tcp": ("0.0.0.0:5000", "[::]:5000")})
    assert stopped_first(loaded, host) == {"shop-job-v2": (JOB,)}
    assert "; interrupts job: shop-job-v1 stops first, both publish port 5000\n" in plan_of(loaded, host)
    assert stopped_first(loaded, altered(host, JOB, ports={"5000/tcp": ("0.0.0.0:32768",)})) == {}


@pytest.mark.parametrize(
    ("options", "observed", "job"),
    [
        ({"network": "host"}, {"NetworkMode": ("bridge",)}, {}),
        ({"network": "private"}, {"NetworkMode": ("private",)}, {}),
        ({"network": "none"}, {"NetworkMode": ("none",)}, {}),
        ({}, ON_HOST, {}),
        ({"network": "host"}, ON_HOST, {"replicas": 2}),
    ],
    ids=["leaves a bridge", "another network", "no network", "leaves the host's", "replicas listen on nothing"],
)
def test_what_can_run_side_by_side_is_not_interrupted(
    config: MakeConfig, options: dict[str, Any], observed: dict[str, Any], job: dict[str, Any]
) -> None:
    loaded = with_job(config, options, **job)
    host = altered(deployed(loaded), JOB, options=observed)
    assert stopped_first(loaded, host) == {}
    assert "interrupts" not in plan_of(loaded, host)
