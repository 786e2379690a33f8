"""What goes when nobody needs it any more, and what never goes."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.state.observed import ObservedHost, ObservedImage, Status
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, made_by_kamal, plan_of, stopped, together, without

VERSIONS = ("v1", "v2", "v3", "v4")

BLOG = {"service": "blog", "image": "acme/blog", "labels": {"traefik.http.routers.blog-web.rule": "Host(`blog`)"}}
STAGING = {"destination": "staging", "labels": {"traefik.http.routers.shop-web-staging.rule": "Host(`staging`)"}}
"""Others on the same host, with rules of their own."""


def image(reference: str) -> ObservedImage:
    return ObservedImage(reference=reference, id=f"sha256:{reference}")


def test_retention_counts_for_each_role(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": [HOST]}, retain_containers=2)
    seen = together(*(stopped(deployed(two, version)) for version in VERSIONS), deployed(two, "v5"))
    seen = without(seen, "shop-job-v3", "shop-job-v4")
    assert plan_of(two, replace(seen, cords={}), version="v5") == dedent("""\
        Plan for shop v5

        web, job: 192.0.2.1
          - container shop-web-v2  only 2 are retained
          - container shop-web-v1  only 2 are retained

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 8 unchanged.
        """)


def test_a_container_that_stops_in_this_deploy_counts_as_retained(config: MakeConfig) -> None:
    one = config(retain_containers=1)
    seen = together(stopped(deployed(one, "v1")), deployed(one, "v2"))
    assert plan_of(one, replace(seen, cords={}), version="v3") == dedent("""\
        Plan for shop v3

        this machine
          + build     acme/shop:v3  1 host does not have it

        web: 192.0.2.1
          + image     acme/shop:v3  not on the host
          ± container shop-web-v3   version v2 → v3
          - container shop-web-v1   only 1 are retained
          - image     acme/shop:v1  no container uses it

        Plan: 1 to replace, 2 to create, 0 to change, 2 to remove, 3 unchanged.
        """)


def test_retention_goes_by_age_and_not_by_version(config: MakeConfig) -> None:
    one = config(retain_containers=1)
    seen = together(*(stopped(deployed(one, version)) for version in ("v1", "v2")), deployed(one, "v3"))
    seen = altered(seen, "shop-web-v1", created="2026-02-01T00:00:00Z")
    assert plan_of(one, replace(seen, cords={}), version="v3") == dedent("""\
        Plan for shop v3

        web: 192.0.2.1
          - container shop-web-v2   only 1 are retained
          - image     acme/shop:v2  no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 6 unchanged.
        """)


def test_a_replaced_container_does_not_count_as_retained(config: MakeConfig) -> None:
    one = config(retain_containers=1)
    left = altered(stopped(deployed(one, "v2")), "shop-web-v2", name="shop-web-v2_replaced_eeeeeeeeeeeeeeee")
    seen = together(stopped(deployed(one, "v1")), left, deployed(one, "v3"))
    assert plan_of(one, replace(seen, cords={}), version="v3") == dedent("""\
        Plan for shop v3

        web: 192.0.2.1
          - container shop-web-v2_replaced_eeeeeeeeeeeeeeee  was replaced
          - image     acme/shop:v2                           no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 6 unchanged.
        """)


def test_tags_that_no_container_uses_go(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    others = ("acme/shop:v1", "acme/shop:latest-staging", "acme/shop-admin:v1", "r.example.com/acme/shop:v1", "redis:7")
    assert plan_of(config(), replace(seen, images=(*seen.images, *map(image, others)))) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - image     acme/shop:v1  no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


def test_an_image_that_lost_its_tag_stays(config: MakeConfig) -> None:
    """``acme/shop:<none>`` is no name that Docker would take back."""
    seen = deployed(config(), "v2")
    lost = ObservedImage(reference="acme/shop:<none>", id="sha256:0123456789ab")
    assert plan_of(config(), replace(seen, images=(*seen.images, lost))) == "shop v2: nothing to change.\n"


def test_the_registrys_port_is_no_tag(config: MakeConfig) -> None:
    registry = {"server": "r.example.com:5000", "username": "acme", "password": ["REGISTRY_PASSWORD"]}
    own = config(registry=registry)
    seen = deployed(own, "v2")
    assert plan_of(own, replace(seen, images=(*seen.images, image("r.example.com:5000/acme/shop:v1")))) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - image     r.example.com:5000/acme/shop:v1  no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


def test_the_latest_tag_follows_the_version_in_service(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    older = [replace(each, id="sha256:v1") if each.reference == "acme/shop:latest" else each for each in seen.images]
    assert plan_of(config(), replace(seen, images=tuple(older))) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ tag       acme/shop:latest  v2 is in service

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)


def test_each_destination_has_its_own_latest_tag(config: MakeConfig) -> None:
    staging = config(destination="staging")
    seen = deployed(staging, "v2")
    without_tag = tuple(each for each in seen.images if "latest" not in each.reference)
    assert plan_of(staging, replace(seen, images=without_tag)) == dedent("""\
        Plan for shop-staging v2

        web: 192.0.2.1
          ~ tag       acme/shop:latest-staging  v2 is in service

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)


@pytest.fixture
def assets(config: MakeConfig) -> ObservedHost:
    """A host with assets of three versions, the last of which serves."""
    public = config(asset_path="/app/public", retain_containers=9)
    return together(*(stopped(deployed(public, version)) for version in ("v1", "v2")), deployed(public, "v3"))


def test_cords_and_assets_of_versions_that_are_not_in_service_go(config: MakeConfig, assets: ObservedHost) -> None:
    public = config(asset_path="/app/public", retain_containers=9)
    assert plan_of(public, assets, version="v3") == dedent("""\
        Plan for shop v3

        web: 192.0.2.1
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it
          - directory .kamal/assets/extracted/shop-web-v1                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v2                     its version is not in service
          - directory .kamal/assets/volumes/shop-web-v1                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v2                       its version is not in service

        Plan: 0 to replace, 0 to create, 0 to change, 6 to remove, 6 unchanged.
        """)


def test_a_folder_of_another_roles_name_that_begins_alike_stays(config: MakeConfig) -> None:
    """``shop-web-eu-v1`` begins with ``shop-web-`` and is not the role web's."""
    roles = config(servers={"web": [HOST], "web-eu": {"hosts": [HOST], "traefik": True}}, asset_path="/app/public")
    seen = deployed(roles, "v2")
    assert plan_of(roles, seen, roles=("web",)) == "shop v2: nothing to change.\n"


def test_a_folder_of_a_known_role_stays_although_no_container_of_it_is_here(config: MakeConfig) -> None:
    roles = config(servers={"web": [HOST], "web-eu": {"hosts": [HOST], "traefik": True}}, asset_path="/app/public")
    seen = replace(without(deployed(roles, "v2"), "shop-web-eu-v2"), cords=deployed(roles, "v2", roles=("web",)).cords)
    assert plan_of(roles, seen, roles=("web",)) == "shop v2: nothing to change.\n"


def test_folders_of_another_destination_stay(config: MakeConfig) -> None:
    production, staging = config(asset_path="/app/public"), config(**STAGING, asset_path="/app/public")
    seen = together(deployed(staging, "v1"), deployed(production, "v2"))
    assert plan_of(production, seen) == "shop v2: nothing to change.\n"


def test_a_cord_that_is_not_named_after_a_run_stays(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    others = dict.fromkeys((".kamal/cords/shop-web-notes", ".kamal/cords/shop-web-" + "g" * 32, ".kamal/cords/x"), True)
    assert plan_of(config(), replace(seen, cords={**seen.cords, **others})) == "shop v2: nothing to change.\n"


def test_a_folder_that_a_container_of_another_service_mounts_stays(config: MakeConfig) -> None:
    """``shop-web-eu`` is our role ``web-eu`` and the destination ``eu`` of somebody's role ``web``."""
    ours = config(servers={"web": ["192.0.2.2"], "web-eu": {"hosts": [HOST], "traefik": True}}, asset_path="/public")
    theirs = config(destination="eu", asset_path="/public", labels={"traefik.http.routers.shop-web-eu.priority": "9"})
    seen = together(deployed(theirs, "v1"), deployed(ours, "v2"))
    # A new deploy of either is refused; whoever has them on a host already loses nothing.
    assert diff_host(Comparison(desired_host(a_run(ours), HOST), seen)) == ()


@pytest.mark.parametrize(
    "others",
    [BLOG, STAGING],
    ids=["another service", "another destination"],
)
def test_the_containers_of_others_are_never_in_the_plan(config: MakeConfig, others: dict[str, Any]) -> None:
    ours, theirs = config(retain_containers=1), config(retain_containers=1, **others)
    foreign = together(*(stopped(deployed(theirs, version)) for version in VERSIONS), deployed(theirs, "v5"))
    seen = together(foreign, deployed(ours, "v5"))
    assert plan_of(ours, seen, version="v5") == "shop v5: nothing to change.\n"
    assert plan_of(ours, seen, version="v6") == plan_of(ours, deployed(ours, "v5"), version="v6")


def test_a_one_off_container_is_not_the_apps(config: MakeConfig) -> None:
    """``app exec`` leaves the label of the image, and no role."""
    seen = deployed(config(), "v2")
    one_off = replace(
        seen.container("shop-web-v2"), name="quick_curie", image="acme/shop:v1", labels={"service": "shop"}, mounts={}
    )
    images = (*seen.images, image("acme/shop:v1"))
    assert plan_of(config(), together(replace(seen, containers=(one_off,), images=images), seen)) == (
        "shop v2: nothing to change.\n"
    )


def test_an_accessory_is_not_the_apps(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    accessory = replace(seen.container("shop-web-v2"), name="shop-db", image="mysql:8", labels={"service": "shop-db"})
    assert plan_of(config(), together(replace(seen, containers=(accessory,)), seen)) == "shop v2: nothing to change.\n"


def test_what_kamal_retained_is_pruned_too(config: MakeConfig) -> None:
    one = config(retain_containers=1)
    seen = made_by_kamal(together(*(stopped(deployed(one, version)) for version in VERSIONS), deployed(one, "v5")))
    assert plan_of(one, replace(seen, cords={}), version="v5") == dedent("""\
        Plan for shop v5

        web: 192.0.2.1
          - container shop-web-v3   only 1 are retained
          - container shop-web-v2   only 1 are retained
          - container shop-web-v1   only 1 are retained
          - image     acme/shop:v1  no container uses it
          - image     acme/shop:v2  no container uses it
          - image     acme/shop:v3  no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 6 to remove, 6 unchanged.
        """)


@pytest.mark.parametrize("status", [Status.CREATED, Status.DEAD])
def test_what_never_ran_is_retained_like_what_stopped(config: MakeConfig, status: Status) -> None:
    one = config(retain_containers=1)
    seen = together(altered(deployed(one, "v1"), "shop-web-v1", status=status), deployed(one, "v3"))
    assert plan_of(one, replace(seen, cords={}), version="v3") == dedent("""\
        shop v3: nothing to change.
        """)


def test_a_name_that_somebody_else_has_is_refused(config: MakeConfig) -> None:
    """``shop-web-eu-v2`` is our role ``web-eu`` and the destination ``eu`` of somebody's role ``web``."""
    ours = config(servers={"web": ["192.0.2.2"], "web-eu": [HOST]})
    theirs = config(destination="eu")
    with pytest.raises(PlanRefused) as refused:
        plan_of(ours, deployed(theirs, "v2"))
    assert str(refused.value).splitlines()[1] == (
        "192.0.2.1: the name shop-web-eu-v2 is taken by a container that is not ours"
    )
