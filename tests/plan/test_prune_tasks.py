"""What `kp prune` removes: nothing that serves, nothing of others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.state.observed import Docker, ObservedImage
from kamal_pyinfra.plan.tasks import prune
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, stopped, together, without

VERSIONS = ("v1", "v2", "v3")
REPLACED = "shop-web-v3_replaced_eeeeeeeeeeeeeeee"


def text(config, seen, decide=None, **run) -> str:
    decide = decide or partial(prune.everything, retain=config.retain_containers)
    return render_text(task_plan(a_run(config, "unknown", command="prune", **run), {seen.host: seen}, decide))


def fleet_of(config):
    """v4 serves, v1 to v3 are stopped."""
    return together(*(stopped(deployed(config, version)) for version in VERSIONS), deployed(config, "v4"))


def test_surplus_goes_by_role_with_the_images_and_folders_that_only_it_used(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": [HOST]}, retain_containers=2, asset_path="/assets")
    assert text(two, without(fleet_of(two), "shop-job-v1")) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - container shop-web-v1                                             only 2 are retained
          - image     acme/shop:v1                                            no container uses it
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it
          - directory .kamal/cords/shop-web-33333333333333333333333333333333  no container mounts it
          - directory .kamal/assets/extracted/shop-web-v1                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v2                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v3                     its version is not in service
          - directory .kamal/assets/volumes/shop-web-v1                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v2                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v3                       its version is not in service

        Plan: 0 to replace, 0 to create, 0 to change, 11 to remove, 0 unchanged.
        """)


def test_with_retain_fewer_stay(config: MakeConfig) -> None:
    own = config()
    seen = replace(fleet_of(own), cords={})
    assert text(own, seen) == "shop: nothing to change.\n"
    assert text(own, seen, partial(prune.everything, retain=1)) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - container shop-web-v2   only 1 are retained
          - container shop-web-v1   only 1 are retained
          - image     acme/shop:v1  no container uses it
          - image     acme/shop:v2  no container uses it

        Plan: 0 to replace, 0 to create, 0 to change, 4 to remove, 0 unchanged.
        """)


def test_containers_alone_leave_the_images(config: MakeConfig) -> None:
    own = config()
    seen = altered(replace(fleet_of(own), cords={}), "shop-web-v3", name=REPLACED)
    assert text(own, seen, partial(prune.containers, retain=1)) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - container shop-web-v3_replaced_eeeeeeeeeeeeeeee  was replaced
          - container shop-web-v1                            only 1 are retained

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 0 unchanged.
        """)


def test_images_alone_are_those_without_container_and_those_that_lost_their_tag(config: MakeConfig) -> None:
    own = config()
    seen = fleet_of(own)
    others = {"acme/shop:v0": "0", "acme/shop:<none>": "9", "acme/shop:latest-staging": "8", "acme/blog:v0": "7"}
    images = (ObservedImage(reference=name, id=number) for name, number in others.items())
    assert text(own, replace(seen, images=(*seen.images, *images)), prune.images) == dedent("""\
        Plan for shop

        web: 192.0.2.1
          - image     acme/shop:v0      no container uses it
          - image     acme/shop:<none>  1 lost the tag

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 0 unchanged.
        """)


@pytest.mark.parametrize("image_id", ["sha256:v4", "sha256:v1"])
def test_an_image_without_tag_stays_while_a_container_or_another_tag_needs_it(
    config: MakeConfig, image_id: str
) -> None:
    own = config()
    seen = fleet_of(own)
    lost = ObservedImage(reference="acme/shop:<none>", id=image_id)
    assert text(own, replace(seen, images=(*seen.images, lost)), prune.images) == "shop: nothing to change.\n"


def test_an_app_that_is_stopped_as_a_whole_keeps_what_it_needs_to_start(config: MakeConfig) -> None:
    own = config(retain_containers=1, asset_path="/assets")
    assert text(own, stopped(deployed(own, "v1"))) == "shop: nothing to change.\n"


def test_another_destination_and_another_service_are_not_seen(config: MakeConfig) -> None:
    shop, staging = config(retain_containers=1), config(destination="staging")
    blog = config(service="blog", image="acme/blog")
    seen = together(fleet_of(staging), fleet_of(blog), deployed(shop, "v4"))
    assert text(shop, seen) == "shop: nothing to change.\n"


def test_a_selected_role_is_pruned_alone(config: MakeConfig) -> None:
    two = config(servers={"web": [HOST], "job": [HOST]}, retain_containers=1)
    assert text(two, replace(fleet_of(two), cords={}), roles=("job",)) == dedent("""\
        Plan for shop

        web, job: 192.0.2.1
          - container shop-job-v2  only 1 are retained
          - container shop-job-v1  only 1 are retained

        Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 0 unchanged.
        """)


def test_nothing_is_decided_where_docker_is_silent(config: MakeConfig) -> None:
    seen = replace(fresh(), docker=Docker(installed=True, error="Cannot connect"))
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.1: docker does not answer\. Cannot connect"):
        text(config(), seen)
