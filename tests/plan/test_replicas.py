"""Several containers of one role on a host: what is planned when versions, or their number, change."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.insight.status import status_rows
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.tasks.app import stale, start
from kamal_pyinfra.plan.tasks.prune import containers
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, plan_of, stopped, together, without

FIRST, SECOND, THIRD = (f"shop-web-v2{suffix}" for suffix in ("", "_replica_2", "_replica_3"))
OLD = "f" * 32


def times(config: MakeConfig, number: int, **sections: Any) -> Config:
    return config(servers={"web": {"hosts": [HOST], "replicas": number}}, **sections)


def test_each_has_its_own_name_host_name_and_cord_and_all_share_the_rest(config: MakeConfig) -> None:
    run = a_run(times(config, 3, asset_path="/app/public"), "v2")
    containers = desired_host(run, HOST).containers
    suffix = run.run_id
    assert [(each.name, each.hostname, each.cord) for each in containers] == [
        (FIRST, f"192.0.2.1-{run.short_id}", f".kamal/cords/shop-web-{suffix}"),
        (SECOND, f"192.0.2.1-2-{run.short_id}", f".kamal/cords/shop-web-{suffix}_replica_2"),
        (THIRD, f"192.0.2.1-3-{run.short_id}", f".kamal/cords/shop-web-{suffix}_replica_3"),
    ]
    assert len({(each.digest, each.labels, each.assets, each.env_file) for each in containers}) == 1


def test_the_first_is_what_it_is_without_replicas(config: MakeConfig) -> None:
    one, many = (desired_host(a_run(times(config, number), "v2"), HOST).containers[0] for number in (1, 3))
    assert one == many


def test_a_first_deploy_makes_them_all(config: MakeConfig) -> None:
    text = plan_of(times(config, 2), without(deployed(config(), "v2"), FIRST))
    assert f"  + container {FIRST}" in text
    assert f"  + container {SECOND}" in text


def test_more_of_them_touch_nothing_that_is_there(config: MakeConfig) -> None:
    assert plan_of(times(config, 3), deployed(config(), "v2")) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + container shop-web-v2_replica_2  replicas 1 → 3
          + container shop-web-v2_replica_3  replicas 1 → 3

        Plan: 0 to replace, 2 to create, 0 to change, 0 to remove, 6 unchanged.
        """)


def test_fewer_of_them_drain_only_those_that_are_too_many(config: MakeConfig) -> None:
    assert plan_of(times(config, 2), deployed(times(config, 3), "v2")) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - container shop-web-v2_replica_3                                             stops, replicas 3 → 2
          - directory .kamal/cords/shop-web-22222222222222222222222222222222_replica_3  no container mounts it

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 7 unchanged.
        """)


def test_a_new_version_replaces_them_all(config: MakeConfig) -> None:
    seen = together(deployed(times(config, 2), "v1", run_id=OLD), deployed(times(config, 2), "v1", run_id=OLD))
    assert plan_of(times(config, 3), seen) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2           1 host does not have it

        web: 192.0.2.1
          + image     acme/shop:v2           not on the host
          ± container shop-web-v2            version v1 → v2
          ± container shop-web-v2_replica_2  version v1 → v2
          ± container shop-web-v2_replica_3  version v1 → v2

        Plan: 3 to replace, 2 to create, 0 to change, 0 to remove, 3 unchanged.
        """)


def test_one_that_somebody_removed_comes_back_alone(config: MakeConfig) -> None:
    run = a_run(times(config, 3), "v2")
    whole = deployed(times(config, 3), "v2")
    whole = replace(whole, record=next_record(Comparison(desired_host(run, HOST), whole)))
    assert plan_of(times(config, 3), without(whole, SECOND)) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + container shop-web-v2_replica_2                                             was removed (drift)
          - directory .kamal/cords/shop-web-22222222222222222222222222222222_replica_2  no container mounts it

        Plan: 0 to replace, 1 to create, 0 to change, 1 to remove, 7 unchanged.
        """)


def test_one_that_is_stopped_starts_again_alone(config: MakeConfig) -> None:
    text = plan_of(times(config, 2), stopped(deployed(times(config, 2), "v2"), SECOND))
    assert f"container {SECOND}  is stopped" in text
    assert FIRST not in text.replace(SECOND, "")


@pytest.mark.parametrize("number", [1, 2, 5])
def test_what_is_as_configured_needs_nothing(config: MakeConfig, number: int) -> None:
    assert plan_of(times(config, number), deployed(times(config, number), "v2")) == "shop v2: nothing to change.\n"


def test_retained_versions_are_counted_not_their_containers(config: MakeConfig) -> None:
    seen = together(*(stopped(deployed(times(config, 3), version, run_id=OLD)) for version in ("v0", "v1")))
    now = deployed(times(config, 3, retain_containers=2), "v2")
    desired = desired_host(a_run(times(config, 3, retain_containers=2), "v2"), HOST)
    assert [
        each.subject for each in diff_host(Comparison(desired, together(seen, now))) if each.kind == "container"
    ] == []
    fewer = desired_host(a_run(times(config, 3, retain_containers=1), "v2"), HOST)
    gone = [each.subject for each in diff_host(Comparison(fewer, together(seen, now))) if each.kind == "container"]
    assert len(gone) == 3


def test_they_start_together_and_none_of_them_is_stale(config: MakeConfig) -> None:
    run = a_run(times(config, 2), "v2", command="app")
    seen = deployed(times(config, 3), "v2")
    assert [each.subject for each in start(run, stopped(seen), version=None).changes] == [FIRST, SECOND]
    assert stale(run, seen).changes == ()
    both = together(deployed(times(config, 2), "v1", run_id=OLD), seen)
    latest = replace(seen.images[0], reference="acme/shop:latest", id=seen.containers[0].image_id)
    both = replace(both, images=(*(each for each in both.images if each.reference != latest.reference), latest))
    assert {each.subject for each in stale(run, both).changes} == {"shop-web-v1", "shop-web-v1_replica_2"}


def test_one_that_stepped_aside_is_stale_although_its_version_serves(config: MakeConfig) -> None:
    seen = deployed(times(config, 2), "v2")
    aside = replace(seen.container(SECOND), created="2020-01-01T00:00:00Z", name=f"{SECOND}_replaced_0123456789ab")
    seen = replace(seen, containers=(*seen.containers, aside))
    run = a_run(times(config, 2), "v2", command="app")
    assert [each.subject for each in stale(run, seen).changes] == [aside.name]


def test_the_replicas_of_a_stopped_role_take_no_retained_versions_place(config: MakeConfig) -> None:
    one = times(config, 3, retain_containers=1)
    now, before = deployed(one, "v2"), stopped(deployed(one, "v1", run_id=OLD))
    run = a_run(one, "v2", command="prune")
    found = containers(run, together(before, stopped(now)), retain=1).changes
    assert [each.subject for each in found if each.kind == "container"] == []
    cords = {each.cord for each in desired_host(a_run(one, "v2"), HOST).containers}
    assert cords & set(now.cords)
    assert cords.isdisjoint(each.subject for each in found)


def test_the_status_numbers_them(config: MakeConfig) -> None:
    rows = status_rows(a_run(times(config, 3), "v2"), {HOST: deployed(times(config, 3), "v2")})
    assert [row.label for row in rows] == ["web", "web 2", "web 3", "proxy"]
