"""The release command in the plan: where it runs, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamal_pyinfra.plan.changes import RunRelease
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from tests.conftest import MakeConfig, a_run, as_deployed

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
SERVERS = {"web": {"hosts": [ONE, TWO]}, "job": {"hosts": [THREE], "cmd": "bin/work"}}
MIGRATE = "bin/migrate --all"


def before(run: Run) -> dict[str, ObservedHost]:
    """All hosts run v1."""
    return {host: as_deployed(desired_host(replace(run, version="v1"), host)) for host in (ONE, TWO, THREE)}


def a_release(config: MakeConfig, release: Any = MIGRATE, **fields: Any) -> Run:
    return a_run(config(servers=SERVERS, release=release), **fields)


def where(run: Run, observed: dict[str, ObservedHost]) -> list[tuple[str, str, str]]:
    """Host, role and command of each release."""
    return [
        (plan.host, change.role, change.release.cmd)
        for plan in make_plan(run, observed).hosts
        for change in plan.changes
        if isinstance(change, RunRelease)
    ]


@pytest.mark.parametrize("command", ["deploy", "redeploy", "setup"])
def test_the_command_runs_on_one_host_where_its_role_boots(config: MakeConfig, command: str) -> None:
    run = a_release(config, command=command)
    assert where(run, before(run)) == [(ONE, "web", MIGRATE)]


def test_another_role_and_host_may_be_named(config: MakeConfig) -> None:
    named = a_release(config, {"cmd": MIGRATE, "host": TWO})
    assert where(named, before(named)) == [(TWO, "web", MIGRATE)]
    worker = a_release(config, {"cmd": MIGRATE, "role": "job"})
    assert where(worker, before(worker)) == [(THREE, "job", MIGRATE)]


def test_a_rollback_releases_nothing(config: MakeConfig) -> None:
    run = a_release(config, command="rollback")
    seen = {host: as_deployed(desired_host(replace(run, command="deploy"), host)) for host in (ONE, TWO, THREE)}
    assert where(run, seen) == []


def test_what_runs_already_releases_nothing(config: MakeConfig) -> None:
    """Also when another host has still to get the version: its turn was in the run before."""
    run = a_release(config)
    seen = before(run)
    seen[ONE] = as_deployed(desired_host(run, ONE))
    assert where(run, seen) == []


def test_a_run_without_its_host_says_so(config: MakeConfig) -> None:
    run = a_release(config)
    seen = before(run)
    del seen[ONE]
    plan = make_plan(run, seen)
    assert plan.notes == (f"The release command does not run: its host {ONE} does not take part.",)


def test_a_run_without_its_role_says_so(config: MakeConfig) -> None:
    servers = {**SERVERS, "job": {"hosts": [ONE], "cmd": "bin/work"}}
    run = a_run(config(servers=servers, release=MIGRATE), roles=("job",))
    plan = make_plan(run, {ONE: as_deployed(desired_host(replace(run, version="v1"), ONE))})
    assert plan.notes == ("The release command does not run: its role web does not take part.",)


def test_it_stands_before_the_containers_in_the_plan(config: MakeConfig) -> None:
    run = replace(a_release(config), is_build_allowed=False)
    lines = render_text(make_plan(run, before(run))).splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("  ")][:4] == [
        ["+", "image"],
        ["~", "release"],
        ["±", "container"],
        ["+", "image"],
    ]
    assert "  ~ release   bin/migrate --all" in "\n".join(lines)


def test_its_host_is_not_left_out(config: MakeConfig) -> None:
    """Nothing may boot before it has run."""
    run = a_release(config, {"cmd": MIGRATE, "host": TWO}, skips_unreachable=True)
    assert [run.may_leave_out(host) for host in (ONE, TWO, THREE)] == [False, False, True]
    assert run.release_host == TWO


def test_its_container_has_the_surroundings_of_the_role_and_no_label_of_the_app(config: MakeConfig) -> None:
    run = a_release(config)
    release = desired_host(run, ONE).release
    assert release is not None
    assert (release.name, release.owner, release.timeout) == ("shop-web-exec-v2-222222222222", "shop", 600)
    assert release.container == desired_host(run, ONE).containers[0]
    assert desired_host(run, TWO).release is None
