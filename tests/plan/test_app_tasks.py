"""What each command of `kp app` changes without a new version, and when it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import task_plan
from kamal_pyinfra.plan.state.observed import Docker
from kamal_pyinfra.plan.tasks import app as app_tasks
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, stopped, together

NOTHING = "shop: nothing to change.\n"
ANY = partial(app_tasks.start, version=None)


def text(decide: Callable, config, seen, **run) -> str:
    return render_text(task_plan(a_run(config, "unknown", command="app", **run), {seen.host: seen}, decide))


def changes(*lines: str, summary: str) -> str:
    return "\n".join(["Plan for shop", "", "web: 192.0.2.1", *(f"  {line}" for line in lines), "", summary, ""])


def two_versions(config, *, running: bool):
    """A host on which v1 and v2 are, and v2 is tagged latest."""
    both = together(deployed(config, "v1"), deployed(config, "v2"))
    return both if running else stopped(both, "shop-web-v1")


def test_stop_stops_all_that_runs_and_nothing_of_others(config: MakeConfig) -> None:
    blog = deployed(config(service="blog", image="acme/blog"), "b1")
    host = together(blog, two_versions(config(), running=True))
    assert text(app_tasks.stop, config(), host) == changes(
        "- container shop-web-v2  stops; the role is out of service",
        "- container shop-web-v1  stops; the role is out of service",
        summary="Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 0 unchanged.",
    )
    assert text(app_tasks.stop, config(), stopped(host, "shop-web-v1", "shop-web-v2")) == NOTHING
    assert text(app_tasks.stop, config(), host, roles=("job",)) == NOTHING


def test_another_destination_is_left_alone(config: MakeConfig) -> None:
    staging = deployed(config(destination="staging"), "v1")
    for decide in (app_tasks.stop, app_tasks.remove_containers, app_tasks.stale):
        assert text(decide, config(), staging) == NOTHING


def test_start_takes_what_was_in_service_last(config: MakeConfig) -> None:
    host = stopped(two_versions(config(), running=True))
    assert text(ANY, config(), host) == changes(
        "~ container shop-web-v2  is exited",
        summary="Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.",
    )
    first = partial(app_tasks.start, version="v1")
    assert text(first, config(), host) == changes(
        "~ container shop-web-v1  is exited",
        summary="Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 0 unchanged.",
    )
    assert text(ANY, config(), two_versions(config(), running=False)) == NOTHING


def test_start_prefers_the_image_that_is_tagged_latest(config: MakeConfig) -> None:
    host = stopped(together(deployed(config(), "v2"), deployed(config(), "v1")))  # a rollback: v1 is latest
    assert "shop-web-v1  is exited" in text(ANY, config(), host)


@pytest.mark.parametrize(
    ("version", "reason"),
    [("v1", "shop-web-v2 runs; `kp rollback v1` changes the version"), ("v9", "shop-web-v2 runs; `kp rollback v9` c")],
)
def test_start_makes_no_second_version_run(config: MakeConfig, version: str, reason: str) -> None:
    with pytest.raises(PlanRefused, match=reason.replace("`", "`")):
        text(partial(app_tasks.start, version=version), config(), two_versions(config(), running=False))


def test_what_is_not_there_cannot_start(config: MakeConfig) -> None:
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.1: role web has no container; `kp app boot` makes one"):
        text(ANY, config(), fresh())
    with pytest.raises(PlanRefused, match="no container of v9"):
        text(partial(app_tasks.start, version="v9"), config(), stopped(deployed(config())))


def test_a_container_that_stepped_aside_is_not_started(config: MakeConfig) -> None:
    host = stopped(deployed(config(), "v1"))
    aside = altered(host, "shop-web-v1", name="shop-web-v1_replaced_aa")
    with pytest.raises(PlanRefused, match="has no container"):
        text(ANY, config(), aside)


def test_only_what_runs_beside_the_version_in_service_is_stale(config: MakeConfig) -> None:
    assert text(app_tasks.stale, config(), two_versions(config(), running=True)) == changes(
        "- container shop-web-v1  stops; shop-web-v2 is in service",
        summary="Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.",
    )
    assert text(app_tasks.stale, config(), two_versions(config(), running=False)) == NOTHING


def test_the_cord_that_a_container_mounts_is_cut_and_tied(config: MakeConfig) -> None:
    host = deployed(config(), "v1")
    cord = "/home/deploy/.kamal/cords/shop-web-" + "1" * 32
    run = a_run(config(), "unknown", command="app")
    assert [change.cord for change in app_tasks.stop(run, host).changes] == [cord]
    assert [change.cord for change in ANY(run, stopped(host)).changes] == [cord]


def test_remove_containers_takes_the_stopped_ones(config: MakeConfig) -> None:
    host = two_versions(config(), running=False)
    gone = changes(
        "- container shop-web-v1  is stopped",
        summary="Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.",
    )
    assert text(app_tasks.remove_containers, config(), host) == gone
    one = partial(app_tasks.remove_containers, version="v1")
    assert text(one, config(), host) == gone.replace("is stopped", "asked for")
    with pytest.raises(PlanRefused, match="shop-web-v2 runs; `kp app stop` first"):
        text(partial(app_tasks.remove_containers, version="v2"), config(), host)


def test_remove_images_takes_what_no_container_uses(config: MakeConfig) -> None:
    host = two_versions(config(), running=False)
    host = replace(host, containers=tuple(each for each in host.containers if each.name != "shop-web-v1"))
    assert text(app_tasks.remove_images, config(), host) == changes(
        "- image     acme/shop:v1  no container uses it",
        summary="Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.",
    )
    none = replace(host, containers=())
    assert "- image     acme/shop:latest  no container uses it" in text(app_tasks.remove_images, config(), none)


@pytest.mark.parametrize("decide", [ANY, app_tasks.stop, app_tasks.stale, app_tasks.remove, app_tasks.remove_images])
def test_nothing_is_decided_where_docker_does_not_answer(config: MakeConfig, decide: Callable) -> None:
    silent = replace(deployed(config()), docker=Docker(installed=True, error="Cannot connect"))
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.1: docker does not answer\. Cannot connect"):
        text(decide, config(), silent)


def test_the_version_in_service_is_what_the_hosts_agree_on(config: MakeConfig) -> None:
    run = a_run(config(), "unknown", command="app")
    v1, v2 = deployed(config(), "v1"), two_versions(config(), running=False)
    found = app_tasks.version_in_service
    assert found(run, {HOST: v2}) == "v2"
    assert found(run, {HOST: stopped(v1), "192.0.2.2": fresh("192.0.2.2")}) == "v1"
    assert found(run, {HOST: replace(v2, containers=())}) == "v2"
    with pytest.raises(ConfigError, match=r"different versions in service \(192\.0\.2\.1 v1, 192\.0\.2\.2 v2\)"):
        found(run, {HOST: v1, "192.0.2.2": v2})
    with pytest.raises(ConfigError, match="say which with --version"):
        found(run, {HOST: fresh()})
