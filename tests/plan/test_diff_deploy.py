"""What a deploy plans on a host, by what it finds there; each plan as its whole text."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.state.observed import ObservedImage, Status
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, made_by_kamal, plan_of, stopped, together, without

WEB_AND_JOB = {"web": [HOST], "job": {"hosts": [HOST], "cmd": "bin/work"}}


def test_the_first_deploy_creates_everything(config: MakeConfig) -> None:
    assert plan_of(config(), fresh()) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2                                                1 host does not have it

        web: 192.0.2.1
          + directory .kamal, .kamal/locks, .kamal/env/roles, .kamal/env/traefik  not found
          + env file  .kamal/env/roles/shop-web.env                               not found
          + env file  .kamal/env/traefik/traefik.env                              not found
          + image     acme/shop:v2                                                not on the host
          + proxy     traefik                                                     not found
          + container shop-web-v2                                                 not found

        Plan: 0 to replace, 7 to create, 0 to change, 0 to remove, 0 unchanged.
        """)


def test_a_second_deploy_changes_nothing(config: MakeConfig) -> None:
    full = config(
        servers=WEB_AND_JOB,
        labels={"team": "shop"},
        volumes=["data:/data"],
        asset_path="/app/public",
        env={"clear": {"COLOR": "blue", "EXPANDED": "${HOSTNAME}"}, "secret": ["TOP_SECRET"]},
        traefik={"args": {"ping": True}, "env": {"clear": {"A": "1"}, "secret": ["OTHER_SECRET"]}},
    )
    assert plan_of(full, deployed(full, "v2"), run_id="f" * 32) == "shop v2: nothing to change.\n"


def test_a_new_version_replaces_the_old_one(config: MakeConfig) -> None:
    assert plan_of(config(), deployed(config(), "v1")) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2  1 host does not have it

        web: 192.0.2.1
          + image     acme/shop:v2  not on the host
          ± container shop-web-v2   version v1 → v2

        Plan: 1 to replace, 2 to create, 0 to change, 0 to remove, 3 unchanged.
        """)


def test_a_new_version_with_assets_and_a_worker(config: MakeConfig) -> None:
    both = config(servers=WEB_AND_JOB, asset_path="/app/public")
    assert plan_of(both, deployed(both, "v1")) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2  1 host does not have it

        web, job: 192.0.2.1
          + image     acme/shop:v2  not on the host
          ± container shop-web-v2   version v1 → v2
          ± container shop-job-v2   version v1 → v2

        Plan: 2 to replace, 2 to create, 0 to change, 0 to remove, 4 unchanged.
        """)


def test_a_changed_variable_replaces_the_container_under_its_own_name(config: MakeConfig) -> None:
    before = config(env={"COLOR": "blue"})
    assert plan_of(config(env={"COLOR": "green"}), deployed(before, "v2"), run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  env COLOR: blue → green

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


BOTH: dict[str, Any] = {
    "servers": {"web": {"hosts": [HOST], "env": {"secret": ["TOP_SECRET"]}}, "job": {"hosts": [HOST]}},
    "traefik": {"env": {"secret": ["OTHER_SECRET"]}},
}


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"env": {"clear": {"COLOR": "blue"}}}, "env COLOR: (not set) → blue"),
        ({"env": {"clear": {"COLOR": "${HOSTNAME}"}}}, "options changed"),
        ({"labels": {"team": "shop"}}, "label team: (not set) → shop"),
        ({"cmd": "bin/serve -p 80"}, "cmd: serve --port 3000 → bin/serve -p 80"),
        ({"options": {"memory": "512m"}}, "memory: (not set) → 512m"),
        ({"logging": {"driver": "local"}}, "log driver, log option max-size differ"),
        (
            {"healthcheck": {"cord": False}},
            "volume /tmp/kamal-cord, health check differ",
        ),
        (
            {"healthcheck": {"cmd": "true", "cord": "/cord"}},
            "volume /cord, volume /tmp/kamal-cord, health check differ",
        ),
        ({"healthcheck": {"interval": "5s"}}, "health interval: 1s → 5s"),
        ({"asset_path": "/public"}, "volume /public: (not mounted) → mounted"),
    ],
    ids=["env", "expanded env", "label", "cmd", "options", "logging", "no cord", "cord", "interval", "assets"],
)
def test_a_change_of_one_role_touches_only_that_role(config: MakeConfig, edit: dict[str, Any], cause: str) -> None:
    before = config(servers=WEB_AND_JOB)
    after = config(servers=WEB_AND_JOB | {"web": {"hosts": [HOST], **edit}})
    assert cause_of_the_only_boot(plan_of(after, deployed(before, "v2"), run_id="f" * 32)) == cause


def cause_of_the_only_boot(text: str) -> str:
    """Nothing but the role web is in the plan."""
    assert "job" not in text.replace("web, job", "")
    (line,) = [line for line in text.splitlines() if line.startswith("  ±")]
    return line.split("shop-web-v2")[1].strip()


def test_a_rotated_secret_of_one_role_touches_only_that_role(config: MakeConfig) -> None:
    rotated = config(**BOTH, environ=SECRETS | {"TOP_SECRET": "rotated"})
    assert plan_of(rotated, deployed(config(**BOTH), "v2"), run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web, job: 192.0.2.1
          ~ env file  .kamal/env/roles/shop-web.env  secret TOP_SECRET changed
          ± container shop-web-v2                    secret TOP_SECRET changed

        Plan: 1 to replace, 0 to create, 1 to change, 0 to remove, 6 unchanged.
        """)


def test_a_version_that_was_built_anew_replaces_the_container(config: MakeConfig) -> None:
    seen = deployed(config(), "v2")
    rebuilt = replace(seen, images=(ObservedImage(reference="acme/shop:v2", id="sha256:new"), *seen.images[1:]))
    assert plan_of(config(), rebuilt, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  image behind acme/shop:v2 changed

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 4 unchanged.
        """)


def test_a_stopped_container_that_still_matches_is_started_again(config: MakeConfig) -> None:
    assert plan_of(config(), stopped(deployed(config(), "v2"))) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ container shop-web-v2  is stopped (drift)

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)


def test_a_stopped_container_that_differs_is_replaced(config: MakeConfig) -> None:
    seen = stopped(deployed(config(env={"COLOR": "blue"}), "v2"))
    assert plan_of(config(env={"COLOR": "green"}), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2                                             env COLOR: blue → green
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 5 unchanged.
        """)


@pytest.mark.parametrize("status", [Status.CREATED, Status.DEAD])
def test_a_half_booted_container_is_replaced(config: MakeConfig, status: Status) -> None:
    half = altered(deployed(config(), "v2"), "shop-web-v2", status=status, health=None)
    seen = together(deployed(config(), "v1"), half)
    expected = dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2                                             is created
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 5 unchanged.
        """)
    assert plan_of(config(), seen, run_id="f" * 32) == expected.replace("is created", f"is {status}")


@pytest.mark.parametrize(("status", "mark"), [(Status.PAUSED, " (drift)"), (Status.RESTARTING, "")])
def test_a_container_that_does_not_serve_is_replaced(config: MakeConfig, status: Status, mark: str) -> None:
    seen = altered(deployed(config(), "v2"), "shop-web-v2", status=status)
    expected = dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  is paused (drift)

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)
    assert plan_of(config(), seen, run_id="f" * 32) == expected.replace("is paused (drift)", f"is {status}{mark}")


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_a_container_that_is_not_healthy_yet_is_awaited(config: MakeConfig, health: str) -> None:
    seen = altered(deployed(config(), "v2"), "shop-web-v2", health=health)
    expected = dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ container shop-web-v2  is starting

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 5 unchanged.
        """)
    assert plan_of(config(), seen) == expected.replace("is starting", f"is {health}")


def test_a_container_whose_cord_was_cut_is_replaced(config: MakeConfig) -> None:
    seen = altered(deployed(config(), "v2"), "shop-web-v2", health="unhealthy")
    seen = replace(seen, cords=dict.fromkeys(seen.cords, False))
    assert plan_of(config(), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  its cord was cut (drift)

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


def test_a_container_whose_cord_kamal_cut_is_replaced(config: MakeConfig) -> None:
    """Kamal removes the whole folder."""
    seen = replace(altered(deployed(config(), "v2"), "shop-web-v2", health="unhealthy"), cords={})
    assert plan_of(config(), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  its cord was cut (drift)

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


OLD_ONE_IS_LEFT = dedent("""\
    Plan for shop v2

    web: 192.0.2.1
      - container shop-web-v1                                             stops, replaced by shop-web-v2
      - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it

    Plan: 0 to replace, 0 to create, 0 to change, 2 to remove, 6 unchanged.
    """)


def test_killed_after_the_boot_only_the_old_container_is_left_to_stop(config: MakeConfig) -> None:
    seen = together(deployed(config(), "v1"), deployed(config(), "v2"))
    assert plan_of(config(), seen) == OLD_ONE_IS_LEFT


def test_killed_between_the_cut_of_the_cord_and_the_stop(config: MakeConfig) -> None:
    old = altered(deployed(config(), "v1"), "shop-web-v1", health="unhealthy")
    seen = together(replace(old, cords=dict.fromkeys(old.cords, False)), deployed(config(), "v2"))
    assert plan_of(config(), seen) == OLD_ONE_IS_LEFT


def test_killed_after_the_old_container_stepped_aside(config: MakeConfig) -> None:
    """It still serves under its other name: the version boots again, then it goes."""
    old = deployed(config(), "v2", run_id="e" * 32)
    seen = altered(old, "shop-web-v2", name="shop-web-v2_replaced_eeeeeeeeeeeeeeee")
    assert plan_of(config(), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2                            its predecessor stepped aside
          - container shop-web-v2_replaced_eeeeeeeeeeeeeeee  was replaced

        Plan: 1 to replace, 0 to create, 0 to change, 1 to remove, 5 unchanged.
        """)


def test_a_replaced_container_that_was_left_behind_is_removed(config: MakeConfig) -> None:
    left = altered(stopped(deployed(config(), "v2")), "shop-web-v2", name="shop-web-v2_replaced_eeeeeeeeeeeeeeee")
    seen = together(left, deployed(config(), "v2"))
    assert plan_of(config(), seen) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - container shop-web-v2_replaced_eeeeeeeeeeeeeeee  was replaced

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


def test_a_role_that_left_the_configuration_is_retired(config: MakeConfig) -> None:
    before = config(servers=WEB_AND_JOB)
    assert plan_of(config(), deployed(before, "v2")) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - container shop-job-v2  stops, role job is not in the config

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


def test_a_role_that_moved_to_another_host_is_retired_on_the_old_one(config: MakeConfig) -> None:
    before = config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.1"]})
    after = config(servers={"web": ["192.0.2.1"], "job": ["192.0.2.2"]})
    assert plan_of(after, deployed(before, "v2"), fresh("192.0.2.2")) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2                            1 host does not have it

        web: 192.0.2.1
          - container shop-job-v2                             stops, role job is not on this host any more

        job: 192.0.2.2
          + directory .kamal, .kamal/locks, .kamal/env/roles  not found
          + env file  .kamal/env/roles/shop-job.env           not found
          + image     acme/shop:v2                            not on the host
          + container shop-job-v2                             not found

        Plan: 0 to replace, 5 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


@pytest.mark.parametrize("cord", ["/old", "/old/", "/new", False])
def test_the_old_container_is_drained_by_the_cord_that_it_has(config: MakeConfig, cord: str | bool) -> None:
    """Also when the configuration has moved the cord in the meantime."""
    seen = deployed(config(healthcheck={"cord": "/old"}), "v1")
    (stop,) = Comparison(desired_host(a_run(config(healthcheck={"cord": cord})), HOST), seen).stops
    assert stop.cord == f"/home/deploy/.kamal/cords/shop-web-{'1' * 32}"


def test_a_worker_whose_image_brings_a_health_check_is_left_alone(config: MakeConfig) -> None:
    both = config(servers=WEB_AND_JOB)
    seen = altered(deployed(both, "v2"), "shop-job-v2", health_command="bin/alive", health="healthy")
    assert plan_of(both, seen) == "shop v2: nothing to change.\n"


def test_a_health_check_that_left_the_configuration_goes(config: MakeConfig) -> None:
    before = config(servers={"web": [HOST], "job": {"hosts": [HOST], "healthcheck": {"cmd": "bin/alive"}}})
    after = config(servers={"web": [HOST], "job": [HOST]})
    assert plan_of(after, deployed(before, "v2"), run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web, job: 192.0.2.1
          ± container shop-job-v2  health check: bin/alive → none

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 7 unchanged.
        """)


def test_what_kamal_deployed_is_adopted_as_it_is(config: MakeConfig) -> None:
    full = config(
        servers=WEB_AND_JOB,
        labels={"team": "shop"},
        volumes=["data:/data"],
        asset_path="/app/public",
        env={"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"]},
        traefik={"args": {"ping": True}},
    )
    assert plan_of(full, made_by_kamal(deployed(full, "v2"))) == "shop v2: nothing to change.\n"


@pytest.mark.parametrize(
    "spelled", [{"volumes": ["data:/data/"]}, {"asset_path": "/app/public/"}, {"healthcheck": {"cord": "/cord/"}}]
)
def test_a_trailing_slash_is_no_difference(config: MakeConfig, spelled: dict[str, Any]) -> None:
    """Docker shows mounts without."""
    own = config(**spelled)
    seen = made_by_kamal(deployed(own, "v2"))
    mounts = {target.rstrip("/"): source for target, source in seen.container("shop-web-v2").mounts.items()}
    assert plan_of(own, altered(seen, "shop-web-v2", mounts=mounts)) == "shop v2: nothing to change.\n"


def test_one_changed_variable_of_what_kamal_deployed_is_the_whole_plan(config: MakeConfig) -> None:
    seen = made_by_kamal(deployed(config(env={"COLOR": "blue", "SIZE": "1"}), "v2"))
    assert plan_of(config(env={"COLOR": "green", "SIZE": "1"}), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ± container shop-web-v2  env COLOR: blue → green

        Plan: 1 to replace, 0 to create, 0 to change, 0 to remove, 5 unchanged.
        """)


def test_a_deploy_of_some_roles_leaves_the_others_alone(config: MakeConfig) -> None:
    three = config(
        servers={"web": [HOST], "web-eu": [HOST], "job": [HOST]}, asset_path="/app/public", retain_containers=1
    )
    seen = together(stopped(deployed(three, "v0")), stopped(deployed(three, "v1")), deployed(three, "v2"))
    assert plan_of(three, seen, version="v3", roles=("web",)) == dedent("""\
        Plan for shop v3

        this machine
          + build     acme/shop:v3                                            1 host does not have it

        web, job, web-eu: 192.0.2.1
          + image     acme/shop:v3                                            not on the host
          ± container shop-web-v3                                             version v2 → v3
          - container shop-web-v1                                             only 1 are retained
          - container shop-web-v0                                             only 1 are retained
          - directory .kamal/cords/shop-web-00000000000000000000000000000000  no container mounts it
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it
          - directory .kamal/assets/extracted/shop-web-v0                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v1                     its version is not in service
          - directory .kamal/assets/volumes/shop-web-v0                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v1                       its version is not in service

        Plan: 1 to replace, 2 to create, 0 to change, 8 to remove, 3 unchanged.
        """)


def test_a_deploy_of_some_roles_retires_none_that_left_the_configuration(config: MakeConfig) -> None:
    seen = deployed(config(servers=WEB_AND_JOB), "v2")
    assert plan_of(config(), seen, roles=("web",)) == "shop v2: nothing to change.\n"


def test_without_its_container_a_host_is_served_again(config: MakeConfig) -> None:
    assert plan_of(config(), without(deployed(config(), "v2"), "shop-web-v2"), run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          + container shop-web-v2                                             not found
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it

        Plan: 0 to replace, 1 to create, 0 to change, 1 to remove, 5 unchanged.
        """)
