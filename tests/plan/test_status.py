"""The rows of `kp status`: what runs, and what was changed by hand."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.insight.status import status_rows
from kamal_pyinfra.plan.state.observed import Docker, ObservedHost, Record, Status
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, fresh, plan_of, stopped, without

SERVERS = {"web": [HOST], "job": {"hosts": [HOST], "cmd": "bin/work"}}


def rows(config: MakeConfig, seen: ObservedHost, **sections: object) -> list[str]:
    run = a_run(config(servers=SERVERS, **sections), "unknown", command="status")
    return [
        f"{row.role} {row.version} {row.state} {row.health or '-'} {'; '.join(row.drift) or 'no'}"
        for row in status_rows(run, {HOST: seen})
    ]


def test_what_was_deployed_is_shown_without_drift(config: MakeConfig) -> None:
    assert rows(config, deployed(config(servers=SERVERS), "v7")) == [
        "web v7 running healthy no",
        "job v7 running - no",
        "proxy v2.11 running - no",
    ]


def test_a_changed_configuration_is_no_drift(config: MakeConfig) -> None:
    assert rows(config, deployed(config(servers=SERVERS), "v7"), env={"COLOR": "green"}) == [
        "web v7 running healthy no",
        "job v7 running - no",
        "proxy v2.11 running - no",
    ]


def test_what_was_done_by_hand_is_named_at_its_role(config: MakeConfig) -> None:
    seen = stopped(deployed(config(servers=SERVERS), "v7"), "shop-job-v7")
    seen = altered(seen, "traefik", status=Status.EXITED)
    assert rows(config, seen) == [
        "web v7 running healthy no",
        "job v7 exited - container shop-job-v7: is stopped",
        "proxy v2.11 exited - proxy traefik: is exited",
    ]


def test_a_removed_container_is_missing_and_the_record_knows_it(config: MakeConfig) -> None:
    both = config(servers=SERVERS)
    seen = deployed(both, "v7")
    digests = {each.name: each.digest for each in seen.containers if each.role}
    seen = replace(without(seen, "shop-job-v7"), record=Record(version="v7", containers=digests))
    assert rows(config, seen)[1] == "job  missing - container shop-job-v7: was removed"


def test_a_host_without_anything_lacks_its_roles(config: MakeConfig) -> None:
    assert rows(config, fresh()) == ["web  missing - no", "job  missing - no"]


def test_of_a_silent_docker_nothing_is_known(config: MakeConfig) -> None:
    silent = replace(fresh(), docker=Docker(installed=True, error="no answer"))
    assert rows(config, silent) == ["web  unknown - no", "job  unknown - no"]


def test_the_plan_marks_the_same(config: MakeConfig) -> None:
    both = config(servers=SERVERS)
    text = plan_of(both, stopped(deployed(both, "v2"), "shop-job-v2"))
    assert "  ~ container shop-job-v2  is stopped (drift)\n" in text


def test_changed_files_that_the_host_did_not_list_are_no_lack_of_drift(config: MakeConfig) -> None:
    """More than 10,000 files, or a `docker diff` that takes too long: "no" would be a claim that nothing supports."""
    seen = altered(deployed(config(servers=SERVERS), "v7"), "shop-web-v7", are_edits_known=False)
    why = "there are more than 10,000, or the host did not list them in time"
    assert rows(config, seen)[:2] == [
        f"web v7 running healthy whether files of its image were changed is not known: {why}",
        "job v7 running - no",
    ]
