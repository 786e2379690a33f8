"""The proxy, which all services of a host share."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.diff.proxy import INTERRUPTS
from kamal_pyinfra.plan.output.text import change_line
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import Status
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, made_by_kamal, plan_of, stopped, together, without


@pytest.mark.parametrize("status", [Status.EXITED, Status.CREATED, Status.DEAD])
def test_a_stopped_proxy_is_started(config: MakeConfig, status: Status) -> None:
    expected = dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ proxy     traefik  is exited (drift)

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)
    seen = altered(deployed(config(), "v2"), "traefik", status=status)
    assert plan_of(config(), seen) == expected.replace("is exited", f"is {status}")


def test_a_missing_proxy_is_run(config: MakeConfig) -> None:
    assert plan_of(config(), without(deployed(config(), "v2"), "traefik")) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + proxy     traefik  not found

        Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


@pytest.mark.parametrize(
    ("traefik", "cause"),
    [
        ({"image": "traefik:v3.1"}, "image: traefik:v2.11 → traefik:v3.1"),
        ({"args": {"ping": True}}, "args: (not set) → --ping"),
        (
            {"args": {"log.level": "INFO"}},
            "args differs",
        ),
        ({"labels": {"x": "1"}}, "label x: (not set) → 1"),
        ({"env": {"A": "1"}}, "env A: (not set) → 1"),
        ({"options": {"memory": "64m"}}, "memory: (not set) → 64m"),
        ({"host_port": 8080}, "publish: 80:80 → 8080:80"),
    ],
)
def test_a_changed_proxy_is_replaced_and_the_gap_is_announced(
    config: MakeConfig, traefik: dict[str, Any], cause: str
) -> None:
    plan = make_plan(a_run(config(traefik=traefik)), {HOST: deployed(config(), "v2")})
    (replaced,) = (change for change in plan.changes if change.kind == "proxy")
    assert change_line(replaced) == f"± proxy     traefik  {cause}; {INTERRUPTS}"


BLOG = {"service": "blog", "image": "acme/blog", "labels": {"traefik.http.routers.blog-web.rule": "Host(`blog`)"}}
"""Another service, with a rule of its own."""


def test_the_proxy_of_another_service_with_the_same_section_is_shared(config: MakeConfig) -> None:
    blog = config(**BLOG)
    seen = together(deployed(config(), "v2"), deployed(blog, "v2"))
    assert plan_of(config(), seen) == "shop v2: nothing to change.\n"
    assert plan_of(blog, seen) == "blog v2: nothing to change.\n"


def test_a_section_that_contradicts_the_proxy_of_another_service_is_refused(config: MakeConfig) -> None:
    blog = config(**BLOG, traefik={"args": {"ping": True}})
    shop = config()
    seen = together(deployed(shop, "v2"), deployed(blog, "v2"))
    with pytest.raises(PlanRefused) as refused:
        plan_of(shop, seen)
    assert str(refused.value) == (
        "192.0.2.1: `traefik:` contradicts the running proxy of blog (args: --ping → (not set); "
        "interrupts traffic; `kp traefik reboot --rolling` goes host by host)"
    )


def test_the_owner_of_the_proxy_may_change_it(config: MakeConfig) -> None:
    blog, shop = config(**BLOG), config()
    seen = together(deployed(blog, "v2"), deployed(shop, "v2"))
    assert "± proxy" in plan_of(config(traefik={"args": {"ping": True}}), seen)


def test_a_proxy_whose_other_services_are_gone_may_be_changed(config: MakeConfig) -> None:
    blog, shop = config(**BLOG, traefik={"args": {"ping": True}}), config()
    seen = together(deployed(shop, "v2"), stopped(deployed(blog, "v2"), "blog-web-v2"))
    assert "± proxy" in plan_of(shop, seen)


def test_kamals_proxy_is_not_changed_under_another_service(config: MakeConfig) -> None:
    blog, shop = config(**BLOG, traefik={"args": {"ping": True}}), config()
    seen = made_by_kamal(together(deployed(shop, "v2"), deployed(blog, "v2")))
    with pytest.raises(PlanRefused, match="contradicts the running proxy of blog"):
        plan_of(shop, seen)


def test_another_destination_is_another_service_here(config: MakeConfig) -> None:
    staging, production = config(destination="staging", traefik={"args": {"ping": True}}), config()
    seen = together(deployed(production, "v2"), deployed(staging, "v2"))
    with pytest.raises(PlanRefused, match="contradicts the running proxy of shop-staging"):
        plan_of(production, seen)


@pytest.mark.parametrize(
    "args",
    [{"ping": False}, {"providers.docker.exposedbydefault": False}, {"entrypoints": ["a", "b"]}, {"log.level": None}],
)
def test_every_form_of_an_argument_converges(config: MakeConfig, args: dict[str, Any]) -> None:
    own = config(traefik={"args": args})
    assert plan_of(own, deployed(own, "v2")) == "shop v2: nothing to change.\n"


def test_a_host_without_routed_role_keeps_a_proxy_that_is_there(config: MakeConfig) -> None:
    routed, worker = config(), config(servers={"web": ["192.0.2.2"], "job": ["192.0.2.1"]})
    proxy_only = replace(deployed(routed, "v2"), cords={})
    seen = together(without(proxy_only, "shop-web-v2"), deployed(worker, "v2"))
    assert plan_of(worker, seen) == "shop v2: nothing to change.\n"
