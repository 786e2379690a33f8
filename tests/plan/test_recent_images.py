"""Images that another destination or service has just pulled, and not started yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.facts.snapshot import parse_snapshot
from kamal_pyinfra.plan.changes import RemoveImage
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.state.observed import ObservedHost, ObservedImage
from kamal_pyinfra.plan.tasks.prune import everything, images
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, deployed, together, without

NOW = 1_800_000_000.0
NEW = "acme/shop:v9"
THEIRS = ".kamal/env/roles/shop-web-production.env"


def with_new_image(host: ObservedHost, age: float, **fields: Any) -> ObservedHost:
    """The host with a version that no container uses."""
    found = (*host.images, ObservedImage(reference=NEW, id="sha256:9"))
    return replace(host, images=found, now=NOW, image_times={"sha256:9": NOW - age}, **fields)


def removed(config: MakeConfig, seen: ObservedHost) -> list[set[str]]:
    """The images that a deploy, `kp prune images` and `kp prune all` remove."""
    run = a_run(config(destination="staging"), "v2")
    ways = (
        diff_host(Comparison(desired_host(run, HOST), seen)),
        images(run, seen).changes,
        everything(run, seen, retain=5).changes,
    )
    return [{change.image for change in changes if isinstance(change, RemoveImage)} for changes in ways]


@pytest.fixture
def ours(config: MakeConfig) -> ObservedHost:
    seen = deployed(config(destination="staging"), "v2")
    return replace(seen, env_files=frozenset({".kamal/env/roles/shop-web-staging.env"}))


def test_what_others_may_be_about_to_start_stays(config: MakeConfig, ours: ObservedHost) -> None:
    """Their env files are there before they pull; so are containers of theirs from the same repository."""
    prepared = replace(ours, env_files=ours.env_files | {THEIRS})
    assert removed(config, with_new_image(prepared, age=600)) == [set(), set(), set()]
    labels = {"traefik.http.routers.shop-web-production.rule": "Host(`p`)"}
    theirs = without(deployed(config(destination="production", labels=labels), "v1"), "traefik")
    beside = replace(together(theirs, ours), env_files=ours.env_files)
    assert removed(config, with_new_image(beside, age=600)) == [set(), set(), set()]


def test_an_old_image_goes_and_where_nobody_else_is_any(config: MakeConfig, ours: ObservedHost) -> None:
    prepared = replace(ours, env_files=ours.env_files | {THEIRS})
    assert removed(config, with_new_image(prepared, age=3601)) == [{NEW}] * 3
    assert removed(config, with_new_image(prepared, age=-90_000)) == [{NEW}] * 3
    assert removed(config, with_new_image(ours, age=600)) == [{NEW}] * 3


def test_a_service_of_another_repository_is_about_to_start_none_of_ours(config: MakeConfig, ours: ObservedHost) -> None:
    blog = without(deployed(config(service="blog", image="acme/blog"), "v1"), "traefik")
    beside = replace(together(blog, ours), env_files=ours.env_files | {".kamal/env/roles/blog-web.env"})
    assert removed(config, with_new_image(beside, age=600)) == [{NEW}] * 3


def test_prune_says_what_it_leaves_and_why(config: MakeConfig, ours: ObservedHost) -> None:
    seen = with_new_image(replace(ours, env_files=ours.env_files | {THEIRS}), age=600)
    note = f"{NEW} stays: it is new, and others on the host may be about to start it"
    run = a_run(config(destination="staging"), "v2")
    assert images(run, seen).notes == everything(run, seen, retain=5).notes == (note,)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("sha256:9 1795974315 2026-11-29T17:00:33.29748325Z", 1795974315),
        ("sha256:9 -62135596800 2026-11-29T17:00:33.29748325Z", 1795971633),
        ("sha256:9 -62135596800 0001-01-01T00:00:00Z", -62135596800),
        ("sha256:9 <no value> tomorrow", 0),
        ("sha256:9", 0),
    ],
)
def test_the_later_of_build_and_tag_counts_as_docker_prints_them(line: str, seconds: float) -> None:
    lines = ("user a", "home /", "docker 26.1.5", f"image-age {line}", "now 1795974999", "end")
    seen = parse_snapshot(HOST, lines)
    assert (seen.image_times, seen.now) == ({"sha256:9": seconds}, 1795974999)
