"""What belongs to others: no container, name or file of theirs is touched, and the plan says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.naming import OWNER_LABEL
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.plan import TaskDecision
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, ObservedHost, Record
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks
from kamal_pyinfra.plan.tasks import host as env_tasks
from kamal_pyinfra.plan.tasks import proxy as proxy_tasks
from kamal_pyinfra.plan.tasks import remove as removal_tasks
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, made_by_kamal, plan_of, without

COMPOSE = {"com.docker.compose.project": "edge", "com.docker.compose.container-number": "1"}
KAMALS = {"traefik.http.routers.catchall.rule": "PathPrefix(`/`)"}
REFUSED = (
    f"{HOST}: the container traefik (image traefik:v3.6, project edge) was started by neither kp nor Kamal, and is "
    "left alone; rename it (`docker rename traefik NAME`) and give ours ports that are free (`traefik: host_port`), or "
    "set `traefik: false` for the roles on this host"
)


def refusal(config: Config, *seen: ObservedHost, **run: Any) -> str:
    with pytest.raises(PlanRefused) as refused:
        plan_of(config, *seen, **run)
    return str(refused.value)


def with_proxy_of_others(
    config: Config, labels: dict[str, str], image_labels: dict[str, str] | None = None
) -> ObservedHost:
    """A host whose container `traefik` somebody else started."""
    seen = altered(
        deployed(config), "traefik", labels=labels, image="traefik:v3.6", command=("--providers.docker", "--x")
    )
    proxy = seen.container("traefik")
    defaults = {**seen.image_defaults, proxy.image_id: ImageDefaults(labels=image_labels or {})}
    return replace(seen, image_defaults=defaults)


def a_stranger(name: str, **fields: Any) -> ObservedContainer:
    """A container of somebody else's that has no label of ours."""
    fields = {
        "name": name,
        "labels": {},
        "env": {},
        "mounts": {},
        "image": "nginx",
        "image_id": "sha256:nginx",
    } | fields
    return replace(deployed_model, **fields)


deployed_model: ObservedContainer


@pytest.fixture(autouse=True)
def _model(config: MakeConfig) -> None:
    global deployed_model  # noqa: PLW0603 - one model for all
    deployed_model = deployed(config()).containers[0]


@pytest.mark.parametrize(
    ("labels", "image_labels"),
    [
        ({"com.docker.compose.project": "edge"}, {}),
        ({**COMPOSE, **KAMALS}, {}),
        ({**COMPOSE, OWNER_LABEL: "shop"}, {}),
        ({"com.docker.compose.project": "edge", OWNER_LABEL: "shop"}, {OWNER_LABEL: "shop"}),
        ({"com.docker.compose.project": "edge", **KAMALS}, KAMALS),
    ],
)
def test_a_proxy_that_somebody_else_started_is_refused_by_name(
    config: MakeConfig, labels: dict[str, str], image_labels: dict[str, str]
) -> None:
    """Compose's, one without Kamal's labels, one that has ours or Kamal's from its image only."""
    loaded = config()
    seen = with_proxy_of_others(loaded, labels, image_labels)
    for command in ("deploy", "setup"):
        assert refusal(loaded, seen, command=command) == REFUSED
    assert diff_proxy(Comparison(desired_host(a_run(loaded), HOST), seen)) == ()
    run = a_run(loaded, command="traefik")
    tasks: list[Callable[[Run, ObservedHost], TaskDecision]] = [
        proxy_tasks.boot,
        proxy_tasks.reboot,
        proxy_tasks.start,
        proxy_tasks.stop,
        proxy_tasks.restart,
        proxy_tasks.remove,
    ]
    assert [task(run, seen).refusals for task in tasks] == [(REFUSED,)] * len(tasks)
    assert proxy_tasks.diff_rebooted_proxy(Comparison(desired_host(run, HOST), seen)) == ()


def test_a_removal_leaves_a_proxy_of_others_alone_and_says_so(config: MakeConfig) -> None:
    loaded = config()
    seen = with_proxy_of_others(loaded, {"com.docker.compose.project": "edge"})
    task = removal_tasks.remove(a_run(loaded), seen)
    assert not any(change.kind == "proxy" for change in task.changes)
    assert (
        "the container traefik stays: neither kp nor Kamal started it (image traefik:v3.6, project edge)" in task.notes
    )
    left = a_run(config(servers=["192.0.2.2"]), decommissioned=(HOST,))
    assert not any(change.kind == "proxy" for change in diff_host(Comparison(desired_host(left, HOST), seen)))


def test_proxies_of_kp_and_of_kamal_are_ours(config: MakeConfig) -> None:
    for seen in (deployed(config()), made_by_kamal(deployed(config()))):
        assert plan_of(config(), seen, version="v1").endswith("nothing to change.\n")
        assert proxy_tasks.stop(a_run(config(), command="traefik"), seen).refusals == ()


def test_a_stranger_from_our_image_is_not_ours(config: MakeConfig) -> None:
    """Every image of the service has `LABEL service`, and may have the others: the name tells, and Compose's mark."""
    owner = a_run(config()).owner
    ours = {"service": "shop", "role": "web", "destination": ""}
    assert owner.owns(a_stranger("shop-web-v1", labels=ours))
    assert owner.owns(a_stranger("shop-web-v1_replaced_0123456789abcdef", labels=ours))
    assert not owner.owns(a_stranger("search", labels=ours))
    assert not owner.owns(a_stranger("shop-search", labels=ours))
    assert not owner.owns(a_stranger("shop-web-1", labels={**ours, **COMPOSE}))
    assert not owner.owns(a_stranger("shop-web-v1", labels={"service": "shop"}))


@pytest.mark.parametrize(
    "labels", [{}, {"service": "shop"}, {"service": "shop", "role": "web", "destination": "", **COMPOSE}]
)
def test_a_stranger_with_the_name_of_an_app_container_is_refused(config: MakeConfig, labels: dict[str, str]) -> None:
    seen = replace(fresh(), containers=(a_stranger("shop-web-v2", labels=labels),))
    assert f"{HOST}: the name shop-web-v2 is taken by a container" in refusal(config(), seen)


def with_db(config: MakeConfig, **sections: Any) -> Config:
    return config(accessories={"db": {"image": "postgres:16", "host": HOST}}, **sections)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"service": "other"},
        {"service": "shop-db", **COMPOSE},
        {"service": "shop-db", "kp.accessory": "shop-x/other"},
    ],
)
def test_a_stranger_with_the_name_of_an_accessory_is_refused(config: MakeConfig, labels: dict[str, str]) -> None:
    loaded = with_db(config)
    seen = replace(deployed(loaded), containers=(*deployed(config()).containers, a_stranger("shop-db", labels=labels)))
    reason = "accessory db: the name shop-db is taken by a container that is not ours; it is left alone"
    message = f"{HOST}: {reason}"
    assert refusal(loaded, seen, command="setup") == message
    run = a_run(loaded, command="accessory")
    for task in (accessory_tasks.boot, accessory_tasks.stop, accessory_tasks.restart, accessory_tasks.remove):
        assert task(run, seen).refusals == (message,)
    text = plan_of(loaded, seen, version="v1")
    assert "kp accessory reboot" not in text
    assert reason in text


API_WEB = {"servers": {"api-web": {"hosts": [HOST], "traefik": True}}, "primary_role": "api-web"}
COLLIDING = (
    ({"service": "shop-api", "image": "acme/api", "servers": {"web": [HOST]}}, API_WEB, "shop-api-web"),
    (API_WEB, {"service": "shop-api", "image": "acme/api", "servers": {"web": [HOST]}}, "shop-api-web"),
    ({"servers": {"web-eu": [HOST]}, "primary_role": "web-eu"}, {"destination": "eu"}, "shop-web-eu"),
    ({"destination": "eu"}, {"servers": {"web-eu": [HOST]}, "primary_role": "web-eu"}, "shop-web-eu"),
)


@pytest.mark.parametrize(("theirs", "ours", "name"), COLLIDING)
def test_roles_whose_joined_names_collide_are_refused(
    config: MakeConfig, theirs: dict[str, Any], ours: dict[str, Any], name: str
) -> None:
    """They would share env file, router and cords; whoever comes second, and for the env files alone."""
    mine = config(**ours)
    seen = without(deployed(config(**theirs), "v7"), "traefik")
    (first, *_) = refusal(mine, seen).splitlines()
    assert f"everything of it is called {name} as one of our roles is: env file, router, cords" in first
    assert "another name for the service, the role or the destination keeps them apart" in first
    assert env_tasks.push(a_run(mine, command="env"), seen).refusals == (first,)


def test_a_service_and_a_destination_with_one_joined_name_are_refused(config: MakeConfig) -> None:
    """They would share lock, audit log and records."""
    theirs = config(service="shop-eu", image="acme/eu", servers={"api": [HOST]}, primary_role="api")
    ours = config(destination="eu")
    seen = without(deployed(theirs), "traefik")
    (first, *_) = refusal(ours, seen).splitlines()
    assert first == (
        f"{HOST}: service shop-eu has the lock, the log and the records that ours would have (shop-eu-api-v1 is of "
        "it); another name for the service, the role or the destination keeps them apart"
    )
    run = a_run(theirs, "v1")
    record = next_record(Comparison(desired_host(run, HOST), seen))
    assert (record.service, record.destination) == ("shop-eu", "")
    assert "(.kamal/shop-eu-hosts.json is of it)" in refusal(ours, fresh(record=record))


def test_a_record_of_an_earlier_kp_is_anybodys(config: MakeConfig) -> None:
    seen = replace(deployed(config()), record=Record(version="v1", hosts={HOST: ("web",)}))
    assert plan_of(config(), seen, version="v1").endswith("nothing to change.\n")


def test_an_accessory_of_an_image_with_our_label_is_not_removed(config: MakeConfig) -> None:
    """`kp accessory prune` takes what has our label: the one that `docker run` gave, not the image."""
    run = a_run(config(), command="accessory")
    search = a_stranger("search", labels={"service": "search", "kp.accessory": "shop/search"})
    seen = replace(fresh(), containers=(search,))
    assert [change.subject for change in accessory_tasks.prune(run, seen).changes] == ["search"]
    labelled = {search.image_id: ImageDefaults(labels={"kp.accessory": "shop/search"})}
    assert accessory_tasks.prune(run, replace(seen, image_defaults=labelled)).changes == ()
