"""Rollback and redeploy: the app's containers and nothing else."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from tests.conftest import MakeConfig
from tests.plan.hosts import HOST, deployed, fresh, plan_of, stopped, together, without


def test_a_retained_container_is_started_again(config: MakeConfig) -> None:
    seen = together(stopped(deployed(config(), "v1")), deployed(config(), "v2"))
    assert plan_of(config(), seen, version="v1", command="rollback", run_id="f" * 32) == dedent("""\
        Plan for shop v1

        web: 192.0.2.1
          ± container shop-web-v1  is stopped

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 2 unchanged.
        """)


def test_a_retained_container_of_another_configuration_is_replaced(config: MakeConfig) -> None:
    before, after = config(env={"COLOR": "blue"}), config(env={"COLOR": "green"})
    seen = together(stopped(deployed(before, "v1")), deployed(after, "v2"))
    assert plan_of(after, seen, version="v1", command="rollback", run_id="f" * 32) == dedent("""\
        Plan for shop v1

        web: 192.0.2.1
          ± container shop-web-v1                                             env COLOR: blue → green
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 2 unchanged.
        """)


def test_a_version_without_container_boots_from_its_image(config: MakeConfig) -> None:
    seen = together(without(deployed(config(), "v1"), "shop-web-v1"), deployed(config(), "v2"))
    assert plan_of(config(), seen, version="v1", command="rollback", run_id="f" * 32) == dedent("""\
        Plan for shop v1

        web: 192.0.2.1
          ± container shop-web-v1                                             version v2 → v1
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 2 unchanged.
        """)


def test_a_version_that_serves_already_needs_no_rollback(config: MakeConfig) -> None:
    seen = deployed(config(), "v1")
    assert plan_of(config(), seen, version="v1", command="rollback") == "shop v1: nothing to change.\n"


def test_a_version_that_is_not_on_every_host_is_refused(config: MakeConfig) -> None:
    two = config(servers=[HOST, "192.0.2.2"])
    seen = together(stopped(deployed(two, "v1")), deployed(two, "v2")), deployed(two, "v2", "192.0.2.2")
    with pytest.raises(PlanRefused) as refused:
        plan_of(two, *seen, version="v1", command="rollback")
    assert str(refused.value) == "192.0.2.2: version v1 is not on the host; `kp app details` lists what is"


def test_a_rollback_of_some_roles_asks_nothing_of_hosts_without_them(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": ["192.0.2.2"]})
    seen = together(stopped(deployed(two, "v1")), deployed(two, "v2")), deployed(two, "v2", "192.0.2.2")
    assert plan_of(two, *seen, version="v1", command="rollback", roles=("web",), run_id="f" * 32) == dedent("""\
        Plan for shop v1

        web: 192.0.2.1
          ± container shop-web-v1  is stopped

        job: 192.0.2.2
          nothing to change

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 2 unchanged.
        """)


@pytest.mark.parametrize("command", ["rollback", "redeploy"])
def test_neither_proxy_nor_pruning_is_part_of_it(config: MakeConfig, command: str) -> None:
    changed = config(traefik={"args": {"ping": True}}, retain_containers=1)
    seen = together(*(stopped(deployed(config(), version)) for version in ("v1", "v2", "v3")), deployed(config(), "v4"))
    seen = replace(without(seen, "traefik"), cords=deployed(config(), "v4").cords)
    assert plan_of(changed, seen, version="v4", command=command) == "shop v4: nothing to change.\n"


def test_a_redeploy_may_build_and_pull_but_never_looks_after_the_proxy(config: MakeConfig) -> None:
    assert plan_of(config(), without(deployed(config(), "v1"), "traefik"), command="redeploy") == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2  1 host does not have it

        web: 192.0.2.1
          + image     acme/shop:v2  not on the host
          ± container shop-web-v2   version v1 → v2

        Plan: 1 to replace, 2 to create, 0 to change, 0 to remove, 1 unchanged.
        """)


def test_a_rollback_never_builds(config: MakeConfig) -> None:
    with pytest.raises(PlanRefused, match="version v2 is not on the host"):
        plan_of(config(), fresh(), command="rollback")
