"""Drift is what somebody did on a host; intent is what the configuration newly says. One case of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import ObservedFile, ObservedHost, Status
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, plan_of, without

ENV_FILE = ".kamal/env/roles/shop-web.env"
SECTIONS: dict[str, Any] = {
    "asset_path": "/app/public",
    "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
    "servers": {"web": {"hosts": [HOST], "options": {"memory": "256m"}}},
}
Edit = Callable[[ObservedHost], ObservedHost]


def recorded(config: Config, version: str = "v2") -> ObservedHost:
    """A host after a run that wrote its record."""
    run = a_run(config, version)
    seen = deployed(config, version)
    return replace(
        seen,
        record=next_record(Comparison(desired_host(run, HOST), seen)),
        env_files=frozenset(path for path in seen.files if "/roles/" in path),
    )


def lines(text: str) -> list[str]:
    """The changes in a printed plan."""
    return [line[2:] for line in text.splitlines() if line[:3] in ("  +", "  ~", "  ±", "  -")]


def with_file(host: ObservedHost, **fields: Any) -> ObservedHost:
    return replace(host, files={**host.files, ENV_FILE: replace(host.files[ENV_FILE], **fields)})


def updated(host: ObservedHost, **options: tuple[object, ...]) -> ObservedHost:
    """As ``docker update`` leaves a container."""
    container = host.containers[0]
    return altered(host, container.name, options={**container.options, **options})


def without_file(host: ObservedHost, path: str) -> ObservedHost:
    return replace(host, files={name: file for name, file in host.files.items() if name != path})


DRIFT: dict[str, tuple[Edit, list[str]]] = {
    "a stopped container": (
        lambda host: altered(host, "shop-web-v2", status=Status.EXITED, health=None),
        ["~ container shop-web-v2  is stopped (drift)"],
    ),
    "a paused container": (
        lambda host: altered(host, "shop-web-v2", status=Status.PAUSED),
        ["± container shop-web-v2  is paused (drift)"],
    ),
    "an updated container": (
        lambda host: updated(host, Memory=(536870912,)),
        ["± container shop-web-v2  memory: 512m → 256m (drift)"],
    ),
    "another restart policy": (
        lambda host: updated(host, restart=("no",)),
        ["± container shop-web-v2  restart: no → unless-stopped (drift)"],
    ),
    "a removed container": (
        lambda host: replace(without(host, "shop-web-v2"), cords={}),
        ["+ container shop-web-v2  was removed (drift)"],
    ),
    "a cut cord": (
        lambda host: replace(altered(host, "shop-web-v2", health="unhealthy"), cords=dict.fromkeys(host.cords, False)),
        ["± container shop-web-v2  its cord was cut (drift)"],
    ),
    "a removed cord": (
        lambda host: replace(altered(host, "shop-web-v2", health="unhealthy"), cords={}),
        ["± container shop-web-v2  its cord was cut (drift)"],
    ),
    "an edited env file": (
        lambda host: with_file(host, digest="edited", checks={"TOP_SECRET": 1}),
        [f"~ env file  {ENV_FILE}  secret TOP_SECRET changed (drift)"],
    ),
    "an env file that others may read": (
        lambda host: with_file(host, mode="644"),
        [f"~ env file  {ENV_FILE}  mode 644 → 600 (drift)"],
    ),
    "a removed env file": (
        lambda host: without_file(host, ENV_FILE),
        [f"+ env file  {ENV_FILE}  was removed (drift)"],
    ),
    "a removed image": (
        lambda host: replace(host, images=host.images[1:]),
        [
            "+ build     acme/shop:v2  1 host does not have it",
            "+ image     acme/shop:v2  was removed (drift)",
            "~ tag       acme/shop:latest  v2 is in service (drift)",
        ],
    ),
    "a moved tag": (
        lambda host: replace(host, images=(host.images[0], replace(host.images[1], id="sha256:v1"), *host.images[2:])),
        ["~ tag       acme/shop:latest  v2 is in service (drift)"],
    ),
    "removed assets": (
        lambda host: replace(host, assets=frozenset()),
        ["~ assets    .kamal/assets/volumes/shop-web-v2  not extracted (drift)"],
    ),
    "a stopped proxy": (
        lambda host: altered(host, "traefik", status=Status.EXITED),
        ["~ proxy     traefik  is exited (drift)"],
    ),
    "a removed proxy": (
        lambda host: without(host, "traefik"),
        ["+ proxy     traefik  was removed (drift)"],
    ),
}


@pytest.mark.parametrize("kind", DRIFT)
def test_what_somebody_did_on_a_host_is_drift_with_its_cause(config: MakeConfig, kind: str) -> None:
    edit, expected = DRIFT[kind]
    full = config(**SECTIONS)
    assert [" ".join(line.split()) for line in lines(plan_of(full, edit(recorded(full)), run_id="f" * 32))] == [
        " ".join(line.split()) for line in expected
    ]


def test_a_host_as_the_last_run_left_it_has_no_drift(config: MakeConfig) -> None:
    full = config(**SECTIONS)
    assert plan_of(full, recorded(full), run_id="f" * 32) == "shop v2: nothing to change.\n"


INTENT: dict[str, dict[str, Any]] = {
    "a version": {"version": "v3"},
    "an env": {"env": {"clear": {"COLOR": "green"}, "secret": ["TOP_SECRET"]}},
    "a secret": {"environ": SECRETS | {"TOP_SECRET": "rotated"}},
    "memory": {"servers": {"web": {"hosts": [HOST], "options": {"memory": "512m"}}}},
    "restart": {"servers": {"web": {"hosts": [HOST], "options": {"memory": "256m", "restart": "always"}}}},
    "a label": {"labels": {"team": "shop"}},
    "a role": {"servers": {"web": [HOST], "job": [HOST]}},
    "the proxy": {"traefik": {"args": {"ping": True}}},
    "assets": {"asset_path": "/public"},
}


@pytest.mark.parametrize("kind", INTENT)
def test_what_the_configuration_newly_says_is_no_drift(config: MakeConfig, kind: str) -> None:
    edited = dict(INTENT[kind])
    version = edited.pop("version", "v2")
    seen = recorded(config(**SECTIONS))
    plan = make_plan(a_run(config(**(SECTIONS | edited)), version, run_id="f" * 32), {HOST: seen})
    assert plan.changes
    assert not any(change.is_drift for change in plan.changes)
    assert "(drift)" not in render_text(plan, is_whole=True)


def test_a_rollback_is_intent(config: MakeConfig) -> None:
    seen = recorded(config(), "v2")
    old = altered(deployed(config(), "v1"), "shop-web-v1", status=Status.EXITED, health=None)
    both = replace(seen, containers=(*seen.containers, old.containers[0]), images=(*seen.images, *old.images[:1]))
    plan = make_plan(a_run(config(), "v1", command="rollback", run_id="f" * 32), {HOST: both})
    assert lines(render_text(plan)) == ["± container shop-web-v1  is stopped"]
    assert not any(change.is_drift for change in plan.changes)


def test_on_a_host_without_a_record_the_tag_in_service_tells(config: MakeConfig) -> None:
    """Kamal deployed to it; what it had there before is not known."""
    seen = altered(deployed(config(), "v2"), "shop-web-v2", status=Status.EXITED, health=None)
    assert lines(plan_of(config(), seen)) == ["~ container shop-web-v2  is stopped (drift)"]
    gone = replace(without(deployed(config(), "v2"), "shop-web-v2"), cords={})
    assert lines(plan_of(config(), gone)) == ["+ container shop-web-v2  not found"]
    file = ObservedFile(digest="edited", mode="644")
    edited = replace(deployed(config(), "v2"), files={**seen.files, ENV_FILE: file})
    assert lines(plan_of(config(), edited)) == [f"~ env file  {ENV_FILE}  content changed"]


def test_files_that_the_host_could_not_list_are_no_files_that_nothing_changed(config: MakeConfig) -> None:
    """It is said, and nothing is replaced for it."""
    seen = altered(deployed(config(), "v2"), "shop-web-v2", are_edits_known=False)
    plan = make_plan(a_run(config(), "v2"), {HOST: seen})
    assert not plan.hosts[0].changes
    assert plan.hosts[0].notes[:1] == (
        "container shop-web-v2: whether files of its image were changed is not known: there are more than 10,000, or "
        "the host did not list them in time; `docker diff shop-web-v2` on the host lists them",
    )


def test_drift_and_intent_can_meet_on_one_host(config: MakeConfig) -> None:
    """Somebody stopped the proxy; the configuration has a new variable."""
    full = config(**SECTIONS)
    seen = altered(recorded(full), "traefik", status=Status.EXITED)
    edited = config(**(SECTIONS | {"env": {"clear": {"COLOR": "green"}, "secret": ["TOP_SECRET"]}}))
    assert lines(plan_of(edited, seen, run_id="f" * 32)) == [
        "~ proxy     traefik      is exited (drift)",
        "± container shop-web-v2  env COLOR: blue → green",
    ]
