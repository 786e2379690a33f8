"""A port of the host that a role publishes: its second deploy is refused before anything changes, not at boot."""

from __future__ import annotations

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.docker_values import published_ports
from tests.conftest import MakeConfig
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
