"""Hosts, and roles, that left the configuration: noted, decommissioned, forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.output.file import parse_plan_file, plan_file
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import former_hosts, make_plan
from kamal_pyinfra.plan.state.observed import ObservedHost, Record, Status, parse_record, record_text
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, plan_of, stopped, together, without

GONE = "192.0.2.9"
BEFORE: dict[str, Any] = {
    "servers": {"web": [HOST, GONE], "job": [GONE]},
    "asset_path": "/app/public",
    "env": {"secret": ["TOP_SECRET"]},
}
AFTER: dict[str, Any] = {**BEFORE, "servers": {"web": [HOST]}}


def recorded(config: Config, host: str, version: str = "v2") -> ObservedHost:
    """A host after a run that wrote its record."""
    run = a_run(config, version)
    seen = deployed(config, version, host)
    return replace(
        seen,
        record=next_record(Comparison(desired_host(run, host), seen)),
        env_files=frozenset(path for path in seen.files if "/roles/" in path),
    )


def test_a_host_that_left_is_noted_with_the_ways_out(config: MakeConfig) -> None:
    seen = recorded(config(**BEFORE), HOST)
    assert plan_of(config(**AFTER), seen, run_id="f" * 32) == (
        "Note: 192.0.2.9 (web, job) is not in the config any more: `kp deploy --decommission` removes shop from it, "
        "`--forget 192.0.2.9` only stops this note\n"
        "shop v2: nothing to change.\n"
    )


def test_every_record_is_asked_for_hosts_that_left(config: MakeConfig) -> None:
    three = config(servers=[HOST, "192.0.2.2"])
    seen = {
        HOST: fresh(record=Record(hosts={"192.0.2.8": ("web",), HOST: ("web",)})),
        "192.0.2.2": fresh("192.0.2.2", record=Record(hosts={GONE: ("job",), "192.0.2.2": ("web",)})),
        "192.0.2.3": fresh("192.0.2.3"),
    }
    assert former_hosts(a_run(three), seen) == {"192.0.2.8": ("web",), GONE: ("job",)}
    assert former_hosts(a_run(three, forgotten=("192.0.2.8",), decommissioned=(GONE,)), seen) == {}


def test_a_host_that_came_back_did_not_leave(config: MakeConfig) -> None:
    assert former_hosts(a_run(config(**BEFORE)), {HOST: recorded(config(**BEFORE), HOST)}) == {}


def test_forgetting_a_host_is_a_plan_of_its_own(config: MakeConfig) -> None:
    """Without it the note would come again whenever nothing else changes."""
    seen = recorded(config(**BEFORE), HOST)
    assert plan_of(config(**AFTER), seen, run_id="f" * 32, forgotten=(GONE,)) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ record    .kamal/shop-hosts.json  192.0.2.9 left the config

        Plan: 0 to replace, 0 to create, 1 to change, 0 to remove, 6 unchanged.
        """)
    assert plan_of(config(**AFTER), seen, run_id="f" * 32, forgotten=("192.0.2.77",)).endswith("nothing to change.\n")


def test_a_host_that_left_is_cleaned_of_everything_of_ours(config: MakeConfig) -> None:
    before = config(**BEFORE)
    old = stopped(deployed(before, "v1", GONE))
    gone = recorded(before, GONE)
    seen = replace(together(old, gone), record=gone.record, env_files=gone.env_files)
    text = plan_of(config(**AFTER), recorded(before, HOST), seen, run_id="f" * 32, decommissioned=(GONE,))
    assert text == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ record    .kamal/shop-hosts.json                                  192.0.2.9 left the config

        no role: 192.0.2.9
          - container shop-web-v2                                             stops, 192.0.2.9 is not in the config
          - container shop-job-v2                                             stops, 192.0.2.9 is not in the config
          - container shop-web-v1                                             192.0.2.9 is not in the config
          - container shop-job-v1                                             192.0.2.9 is not in the config
          - image     acme/shop:v1                                            no container uses it
          - image     acme/shop:v2                                            no container uses it
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it
          - directory .kamal/cords/shop-web-22222222222222222222222222222222  no container mounts it
          - directory .kamal/assets/extracted/shop-web-v1                     its version is not in service
          - directory .kamal/assets/extracted/shop-web-v2                     its version is not in service
          - directory .kamal/assets/volumes/shop-web-v1                       its version is not in service
          - directory .kamal/assets/volumes/shop-web-v2                       its version is not in service
          - env file  .kamal/env/roles/shop-job.env                           role job is not in the config
          - env file  .kamal/env/roles/shop-web.env                           role web is not on this host any more
          - proxy     traefik                                                 192.0.2.9 is not in the config
          - env file  .kamal/env/traefik/traefik.env                          192.0.2.9 is not in the config
          - image     acme/shop:latest                                        192.0.2.9 is not in the config
          - file      .kamal/shop-hosts.json                                  192.0.2.9 is not in the config
          - directory .kamal/shop-files                                       192.0.2.9 is not in the config

        Plan: 0 to replace, 0 to create, 1 to change, 19 to remove, 6 unchanged.
        """)


def blog_on(host: str, config: MakeConfig) -> ObservedHost:
    """Another service, with a rule of its own."""
    labels = {"traefik.http.routers.blog-web.rule": "Host(`blog`)"}
    return deployed(config(service="blog", image="acme/blog", servers=[host], labels=labels), "v5", host)


def test_a_proxy_that_serves_another_service_stays(config: MakeConfig) -> None:
    """Also while that service is stopped: it comes back and finds its proxy."""
    before, after, blog = config(**BEFORE), config(**AFTER), blog_on(GONE, config)
    run = a_run(after, run_id="f" * 32, decommissioned=(GONE,))
    for neighbour in (blog, altered(blog, "blog-web-v5", status=Status.EXITED)):
        gone = recorded(before, GONE)
        seen = replace(together(neighbour, gone), record=gone.record, env_files=gone.env_files)
        plan = make_plan(run, {GONE: seen})
        named = {change.subject for change in plan.changes}
        assert named.isdisjoint({"traefik", ".kamal/env/traefik/traefik.env", "blog-web-v5", "acme/blog:v5"})
        assert {"shop-web-v2", "shop-job-v2", ".kamal/shop-hosts.json"} <= named


def test_an_accessory_s_host_or_an_empty_one_needs_nothing(config: MakeConfig) -> None:
    plan = make_plan(a_run(config(), decommissioned=(GONE,)), {GONE: fresh(GONE)})
    assert plan.is_empty


def test_a_role_that_left_takes_its_cords_assets_and_secrets_along(config: MakeConfig) -> None:
    """Once its container stopped: the folders are told by the role that the container or the record names."""
    admin = {**BEFORE, "servers": {"web": [HOST], "admin": {"hosts": [HOST], "traefik": True}}}
    admin["labels"] = {"traefik.http.routers.shop-admin.rule": "Host(`admin`)"}
    seen = recorded(config(**admin), HOST)
    text = plan_of(config(**AFTER, labels=admin["labels"]), seen, run_id="f" * 32)
    assert text == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - container shop-admin-v2                                             stops, role admin is not in the config
          - directory .kamal/cords/shop-admin-22222222222222222222222222222222  no container mounts it
          - directory .kamal/assets/extracted/shop-admin-v2                     its version is not in service
          - directory .kamal/assets/volumes/shop-admin-v2                       its version is not in service
          - env file  .kamal/env/roles/shop-admin.env                           role admin is not in the config

        Plan: 0 to replace, 0 to create, 0 to change, 5 to remove, 6 unchanged.
        """)


def test_files_of_a_role_that_the_record_knows_go_after_its_container(config: MakeConfig) -> None:
    both = config(**{**BEFORE, "servers": {"web": [HOST], "job": [HOST]}})
    seen = without(recorded(both, HOST), "shop-job-v2")
    assert plan_of(config(**AFTER), seen, run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          - env file  .kamal/env/roles/shop-job.env  role job is not in the config

        Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 6 unchanged.
        """)


def test_env_files_of_others_stay(config: MakeConfig) -> None:
    """`shop-job.env` may be role `job`'s, or that of service `shop-job`: only what the record or a container knows."""
    seen = recorded(config(**AFTER), HOST)
    seen = replace(seen, env_files=seen.env_files | {".kamal/env/roles/shop-job.env", ".kamal/env/roles/blog-web.env"})
    assert plan_of(config(**AFTER), seen, run_id="f" * 32) == "shop v2: nothing to change.\n"


def test_files_that_another_destination_has_under_the_same_name_stay(config: MakeConfig) -> None:
    """Role `web-eu` left; role `web` of the destination `eu` has the same prefix."""
    hidden = {"labels": {"traefik.enable": "false"}}
    eu = stopped(deployed(config(**hidden, destination="eu"), "v7"))
    before = recorded(config(servers={"web": [HOST], "web-eu": {"hosts": [HOST]}}), HOST)
    seen = replace(together(eu, without(before, "shop-web-eu-v2")), record=before.record, env_files=before.env_files)
    assert ".kamal/env/roles/shop-web-eu.env" in seen.env_files
    assert plan_of(config(), seen, run_id="f" * 32) == "shop v2: nothing to change.\n"


def test_a_note_does_not_make_a_plan(config: MakeConfig) -> None:
    plan = make_plan(a_run(config(**AFTER), run_id="f" * 32), {HOST: recorded(config(**BEFORE), HOST)})
    assert plan.is_empty
    assert len(plan.notes) == 1
    assert "Note: " in render_text(plan)


@pytest.mark.parametrize(
    "name", ["@local", "@docker/x", "a b", "", "a/b", "a,b", "-oProxyCommand=x", "h:22", "a\x1b[2J"]
)
def test_what_can_be_no_host_is_none_in_a_record_or_a_plan_file(config: MakeConfig, name: str) -> None:
    """A record comes from a host, and a plan file from anywhere: neither names a connector, an option or nothing."""
    record = parse_record(record_text(Record(version="v1", hosts={name: ("web",), GONE: ("web",)})))
    assert record is not None
    assert set(record.hosts) == {GONE}
    file = plan_file(
        a_run(config()), make_plan(a_run(config()), {HOST: deployed(config())}), {HOST: deployed(config())}
    )
    document = file.model_dump(mode="json")
    document["run"]["decommissioned"] = [name]
    with pytest.raises(ConfigError) as refused:
        parse_plan_file(json.dumps(document), "plan.json")
    assert "is no name or address of a host" in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_a_host_that_shows_nothing_of_the_service_is_left_alone(config: MakeConfig) -> None:
    """The record of another host names it, and it may be anybody's: another destination's with the same repository."""
    after, run = config(**AFTER), {"run_id": "f" * 32, "decommissioned": (GONE,)}
    theirs = config(**BEFORE, destination="production")
    seen = recorded(theirs, GONE)
    elsewhere = replace(seen, record=None, containers=tuple(each for each in seen.containers if each.role))
    text = plan_of(after, recorded(config(**BEFORE), HOST), elsewhere, **run)
    assert "has nothing of shop, no container and no record of it: left alone" in text
    assert not any(line.startswith("  -") for line in text.splitlines())
    own = replace(elsewhere, record=Record(version="v1", hosts={GONE: ("web",)}))
    assert "left alone" not in plan_of(after, recorded(config(**BEFORE), HOST), own, **run)
    other = replace(elsewhere, record=Record(version="v1", hosts={HOST: ("web",)}))
    assert "left alone" in plan_of(after, recorded(config(**BEFORE), HOST), other, **run)
