"""Assets: both versions' files are there before a new container starts."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from kamal_pyinfra.plan.changes import RestartContainer
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, plan_of, stopped, together

PUBLIC = {"asset_path": "/app/public"}


def test_a_new_version_gets_the_files_of_the_one_that_serves(config: MakeConfig) -> None:
    both = config(**PUBLIC, servers={"web": [HOST], "api": {"hosts": [HOST], "traefik": True}})
    seen = together(stopped(deployed(both, "v1")), deployed(both, "v2"))
    assert [
        (change.assets.volume, change.old_containers)
        for change in Comparison(desired_host(a_run(both, "v3"), HOST), seen).assets()
    ] == [
        (".kamal/assets/volumes/shop-web-v3", ("shop-web-v2",)),
        (".kamal/assets/volumes/shop-api-v3", ("shop-api-v2",)),
    ]


def test_a_container_is_not_bridged_with_itself(config: MakeConfig) -> None:
    seen = deployed(config(**PUBLIC), "v2")
    (change,) = Comparison(desired_host(a_run(config(**PUBLIC, env={"COLOR": "blue"}), "v2"), HOST), seen).assets()
    assert change.old_containers == ()


def test_a_replaced_container_of_the_same_version_gets_its_files_again(config: MakeConfig) -> None:
    seen = deployed(config(**PUBLIC), "v2")
    assert plan_of(config(**PUBLIC, env={"COLOR": "blue"}), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  env COLOR: (not set) → blue

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


def test_a_retained_container_gets_back_the_files_that_were_removed(config: MakeConfig) -> None:
    old, new = stopped(deployed(config(**PUBLIC), "v1")), deployed(config(**PUBLIC), "v2")
    seen = replace(together(old, new), cords=new.cords, assets=new.assets)
    run = a_run(config(**PUBLIC), "v1", command="rollback", run_id="f" * 32)
    assert plan_of(config(**PUBLIC), seen, version="v1", command="rollback", run_id="f" * 32) == dedent("""\
        Plan for shop v1

        web: 192.0.2.1
          ± container shop-web-v1  is stopped

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 2 unchanged.
        """)
    (restart,) = Comparison(desired_host(run, HOST), seen).boots
    assert isinstance(restart, RestartContainer)
    assert restart.cord == f"/home/deploy/.kamal/cords/shop-web-{'1' * 32}"


def test_files_that_somebody_removed_are_extracted_again(config: MakeConfig) -> None:
    assert plan_of(config(**PUBLIC), replace(deployed(config(**PUBLIC), "v2"), assets=frozenset())) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ assets    .kamal/assets/volumes/shop-web-v2  not extracted

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 6 unchanged.
        """)


def test_assets_that_were_extracted_are_left_alone(config: MakeConfig) -> None:
    assert plan_of(config(**PUBLIC), deployed(config(**PUBLIC), "v2")) == "shop v2: nothing to change.\n"
