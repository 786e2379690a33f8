"""Whatever the configuration and whatever is on the hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import PlanRefused
from kamal_pyinfra.plan.changes import Change, RemoveEnvFile
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_host
from kamal_pyinfra.plan.diff.leftovers import next_record
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.plan.output.file import plan_file
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import Plan, former_hosts, make_plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import digest_lines
from kamal_pyinfra.plan.state.observed import (
    ObservedContainer,
    ObservedFile,
    ObservedHost,
    ObservedImage,
    Owner,
    Status,
)
from tests.conftest import SECRETS, MakeConfig, a_run, as_deployed
from tests.plan.carry_out import carry_out
from tests.plan.hosts import altered, deployed, fresh, made_by_kamal, together, without

HIDDEN = {"labels": {"traefik.enable": "false"}}
"""Others claim no rule, or nearly every plan would be refused."""

ROTATED = SECRETS | {"TOP_SECRET": "hush-before"}
ARBITRARY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=30
)
HOSTS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
VERSIONS = st.sampled_from(["v1", "v2", "v3"])
TEXTS = ["blue", "green", "two\nlines", "\x1b[31mred"]
COLORS = st.sampled_from([*TEXTS, "${HOME}"])

ROLES = st.fixed_dictionaries(
    {"hosts": st.lists(st.sampled_from(HOSTS), min_size=1, max_size=4, unique=True)},
    optional={
        "cmd": st.just("bin/work --all"),
        "traefik": st.booleans(),
        "options": st.just({"memory": "256m", "init": True}),
        "labels": st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(TEXTS), max_size=2),
        "env": st.fixed_dictionaries(
            {"clear": st.fixed_dictionaries({"COLOR": COLORS}), "secret": st.just(["TOP_SECRET"])}
        ),
        "healthcheck": st.sampled_from([{"cmd": "true"}, {"cord": False}, {"cord": "/cord"}]),
    },
)
SECTIONS = st.fixed_dictionaries(
    {
        "servers": st.fixed_dictionaries({"web": ROLES}, optional={"job": ROLES, "web-eu": ROLES}),
        "retain_containers": st.integers(1, 3),
    },
    optional={
        "asset_path": st.just("/app/public"),
        "volumes": st.just(["data:/data"]),
        "run_directory": st.just("/var/lib/kamal"),
        "env": st.just({"clear": {"SIZE": "1"}, "secret": ["OTHER_SECRET"]}),
    },
)
DESTINATIONS = st.sampled_from([None, "eu", "staging"])


@st.composite
def traces(draw: st.DrawFn, config: Config, host: str) -> ObservedHost:
    """What one earlier run of a configuration left on a host, in any state."""
    run = a_run(config, draw(VERSIONS), run_id=draw(st.sampled_from("0123456789abc")) * 32)
    left = as_deployed(desired_host(run, host))
    left = replace(left, env_files=frozenset(path for path in left.files if "/roles/" in path))
    if draw(st.booleans()):
        left = replace(left, record=next_record(Comparison(desired_host(run, host), left)))
    for container in left.containers:
        if container.role:
            left = draw(disturbed(left, container))
    left = replace(left, files={path: draw(disturbed_file(file)) for path, file in left.files.items()})
    keep = draw(st.lists(st.booleans(), min_size=2, max_size=2))
    left = replace(left, cords={path: draw(st.booleans()) for path in left.cords})
    left = left if keep[0] else replace(left, images=left.images[1:])
    return left if keep[1] else made_by_kamal(left)


@st.composite
def disturbed(draw: st.DrawFn, host: ObservedHost, container: ObservedContainer) -> ObservedHost:
    """The host with a container gone, renamed, or in another state."""
    if draw(st.booleans()) and draw(st.booleans()):
        return without(host, container.name)
    status = draw(st.sampled_from([Status.RUNNING, Status.RUNNING, Status.EXITED, Status.CREATED, Status.PAUSED]))
    health = draw(st.sampled_from(["healthy", "healthy", "starting", "unhealthy"])) if container.health else None
    name = container.name + draw(st.sampled_from(["", "", "", "_replaced_0123456789abcdef"]))
    image_id = draw(st.sampled_from([container.image_id, container.image_id, "sha256:rebuilt"]))
    updated = draw(st.sampled_from([{}, {}, {"Memory": (1048576,)}, {"restart": ("no",)}]))
    secrets = draw(st.sampled_from([container.secrets, container.secrets, digest_lines(("TOP_SECRET=x",))]))
    options = {**container.options, **updated}
    return altered(
        host,
        container.name,
        name=name,
        status=status,
        health=health,
        image_id=image_id,
        options=options,
        secrets=secrets,
    )


@st.composite
def disturbed_file(draw: st.DrawFn, file: ObservedFile) -> ObservedFile:
    """The file readable by others, or with something else in it."""
    edited = replace(file, digest="edited", checks={**file.checks, "TOP_SECRET": 1})
    return draw(st.sampled_from([file, file, file, replace(file, mode="644"), edited]))


@st.composite
def fleets(draw: st.DrawFn, configs: list[Config]) -> dict[str, ObservedHost]:
    """Hosts with traces of the configurations, and of some others."""
    return {host: draw(hosts(configs, host)) for host in HOSTS[:2]}


@st.composite
def hosts(draw: st.DrawFn, configs: list[Config], host: str) -> ObservedHost:
    """A host with traces of the configurations."""
    parts = [draw(traces(config, host)) for config in draw(st.lists(st.sampled_from(configs), max_size=4))]
    tags = draw(
        st.lists(st.sampled_from(["acme/shop:v0", "acme/shop:<none>", "acme/shop:latest-x", "redis:7"]), unique=True)
    )
    strays = [ObservedImage(reference=tag, id=f"sha256:{tag}") for tag in tags]
    return with_kept_promises(together(fresh(host, images=tuple(strays)), *parts))


def with_kept_promises(host: ObservedHost) -> ObservedHost:
    """The host without containers of an image that the registry has another one for; a look cannot tell."""
    tagged = {image.reference for image in host.images}
    containers = tuple(
        each if each.image in tagged or not each.role else replace(each, image_id=f"sha256:{each.version}")
        for each in host.containers
    )
    return replace(host, containers=containers)


Case = Callable[[st.DataObject], tuple[Run, dict[str, ObservedHost]]]


@pytest.fixture
def case(config: MakeConfig) -> Case:
    """A run, and hosts on which it, other configurations of it and other services left traces."""

    def drawn(data: st.DataObject) -> tuple[Run, dict[str, ObservedHost]]:
        destination = data.draw(DESTINATIONS)
        ours = config(destination=destination, **data.draw(SECTIONS))
        before = config(destination=destination, environ=ROTATED, **data.draw(SECTIONS))
        neighbour = config(**HIDDEN, destination="eu" if destination is None else None, **data.draw(SECTIONS))
        blog = config(**HIDDEN, service="blog", image="acme/blog", **data.draw(SECTIONS))
        command = data.draw(st.sampled_from(["deploy", "deploy", "redeploy", "rollback"]))
        roles = data.draw(st.sampled_from([(), (), ("web",)]))
        run = a_run(ours, data.draw(VERSIONS), command=command, roles=roles, run_id="f" * 32)
        seen = data.draw(fleets([ours, before, neighbour, blog]))
        departed = tuple(former_hosts(run, seen))
        done_with = data.draw(st.sampled_from([{}, {"decommissioned": departed}, {"forgotten": departed}]))
        return replace(run, **done_with), seen

    return drawn


def plan_or_refusal(run: Run, seen: dict[str, ObservedHost]) -> Plan | None:
    """The plan, if nothing speaks against it."""
    try:
        return make_plan(run, seen)
    except PlanRefused:
        return None


def foreign(run: Run, host: ObservedHost) -> list[ObservedContainer]:
    """Containers that the run has no business with."""
    owner = Owner(service=run.config.service, destination=run.config.destination or "", roles=run.roles)
    return [container for container in host.containers if container.role and not owner.owns(container)]


def env_files_of(containers: list[ObservedContainer], run: Run) -> set[str]:
    """Where the secrets of containers lie."""
    names = ("-".join(filter(None, (each.service, each.role, each.destination))) for each in containers)
    return {f"{run.config.run_directory}/env/roles/{name}.env" for name in names}


@ARBITRARY
@given(data=st.data())
def test_what_comes_along_comes_with_a_change_that_is_shown(case: Case, data: st.DataObject) -> None:
    plan = plan_or_refusal(*case(data))
    for host_plan in plan.hosts if plan else ():
        shown = {change.subject for change in host_plan.changes if not change.part_of}
        assert {change.part_of for change in host_plan.changes if change.part_of} <= shown
        assert all(change.subject in shown for change in host_plan.changes if change.part_of == change.subject)


@ARBITRARY
@given(data=st.data())
def test_every_change_has_a_cause_and_one_line(case: Case, data: st.DataObject) -> None:
    plan = plan_or_refusal(*case(data))
    if plan is not None:
        assert all(change.cause and change.subject and change.kind for change in plan.changes)
        printed = [line for line in render_text(plan).splitlines() if line[:3] in ("  +", "  ~", "  ±", "  -")]
        assert not any(control in line for line in printed for control in "\x1b\r\t")
        assert all("None" not in change.cause for change in plan.changes)


@ARBITRARY
@given(data=st.data())
def test_nothing_of_others_is_touched(case: Case, data: st.DataObject) -> None:
    run, seen = case(data)
    plan = plan_or_refusal(run, seen)
    for host_plan in plan.hosts if plan else ():
        theirs = foreign(run, seen[host_plan.host])
        named = {change.subject for change in host_plan.changes if change.kind in ("container", "directory")}
        removed = {change.subject for change in host_plan.changes if change.kind == "image" and change.action == "-"}
        mounted = {
            source.removeprefix("/home/deploy/")
            for container in theirs
            if container.is_running
            for source in container.mounts.values()
        }
        assert named.isdisjoint({container.name for container in theirs})
        removed_files = {change.subject for change in host_plan.changes if isinstance(change, RemoveEnvFile)}
        assert removed_files.isdisjoint(env_files_of(theirs, run))
        assert named.isdisjoint(mounted)
        assert removed.isdisjoint({value for container in theirs for value in (container.image, container.image_id)})
        latest = run.latest_image
        ours = {latest} if host_plan.host in run.decommissioned else set()
        assert all(name.startswith("acme/shop:v") for name in removed - ours)


@ARBITRARY
@given(data=st.data())
def test_once_a_plan_is_carried_out_nothing_is_left_to_change(case: Case, data: st.DataObject) -> None:
    run, seen = case(data)
    plan = plan_or_refusal(run, seen)
    for host_plan in plan.hosts if plan else ():
        before = seen[host_plan.host]
        desired = desired_host(run, before.host)
        *_, after = before, *(host for _, host in carry_out(desired, before, host_plan.changes))
        if not desired.is_leaving:
            after = replace(after, record=next_record(Comparison(desired, before)))
        assert diff_host(Comparison(desired_host(replace(run, run_id="e" * 32), before.host), after)) == ()
        assert foreign(run, after) == foreign(run, before)


def serving(host: ObservedHost, owner: Owner) -> set[str]:
    """The roles with a container that answers."""
    return {
        container.role
        for container in host.containers
        if owner.owns(container) and container.status == Status.RUNNING and container.health in (None, "healthy")
    }


@ARBITRARY
@given(data=st.data())
def test_at_no_point_of_a_plan_does_a_role_stop_serving(case: Case, data: st.DataObject) -> None:
    run, seen = case(data)
    plan = plan_or_refusal(run, seen)
    for host_plan in plan.hosts if plan else ():
        desired = desired_host(run, host_plan.host)
        wanted = {container.role for container in desired.containers}
        before = serving(seen[host_plan.host], desired.owner) & wanted
        for change, host in carry_out(desired, seen[host_plan.host], host_plan.changes):
            assert before <= serving(host, desired.owner), change


@ARBITRARY
@given(
    sections=SECTIONS, destination=DESTINATIONS, command=st.sampled_from(["deploy", "setup", "redeploy", "rollback"])
)
def test_what_was_deployed_needs_no_change(
    config: MakeConfig, sections: dict[str, Any], destination: str | None, command: str
) -> None:
    loaded = config(destination=destination, **sections)
    seen = {host: deployed(loaded, "v2", host) for host in HOSTS}
    for left in (seen, {host: made_by_kamal(each) for host, each in seen.items()}):
        assert make_plan(a_run(loaded, "v2", command=command, run_id="f" * 32), left).changes == ()


@ARBITRARY
@given(data=st.data())
def test_the_order_of_hosts_in_the_file_changes_no_hosts_plan(config: MakeConfig, data: st.DataObject) -> None:
    sections = data.draw(SECTIONS)
    reversed_hosts = {name: {**role, "hosts": role["hosts"][::-1]} for name, role in sections["servers"].items()}
    one, other = config(**sections), config(**(sections | {"servers": reversed_hosts}))
    seen = data.draw(fleets([one]))
    plans = [plan_or_refusal(a_run(each, run_id="f" * 32), seen) for each in (one, other)]
    of_hosts = [plan and {host.host: lines(host.changes) for host in plan.hosts} for plan in plans]
    assert of_hosts[0] == of_hosts[1]


def lines(changes: tuple[Change, ...]) -> list[tuple[str, str, str, str]]:
    """What is printed of changes."""
    return [(change.action, change.kind, change.subject, change.cause) for change in changes]


@ARBITRARY
@given(data=st.data())
def test_the_text_does_not_depend_on_the_order_in_which_docker_lists(case: Case, data: st.DataObject) -> None:
    run, seen = case(data)
    shuffled = {host: backwards(each) for host, each in reversed(seen.items())}
    plans = [plan_or_refusal(run, each) for each in (seen, shuffled)]
    texts = [plan and render_text(plan) for plan in plans]
    assert texts[0] == texts[1]


def backwards(host: ObservedHost) -> ObservedHost:
    """The same host, with everything listed the other way round."""
    return replace(
        host,
        containers=host.containers[::-1],
        images=host.images[::-1],
        cords=dict(reversed(host.cords.items())),
        files=dict(reversed(host.files.items())),
    )


@ARBITRARY
@given(data=st.data())
def test_no_secret_is_in_anything_that_could_be_printed(case: Case, data: st.DataObject) -> None:
    run, seen = case(data)
    plan = plan_or_refusal(run, seen)
    if plan is not None:
        shown = "\n".join((render_text(plan), plan_document(plan).model_dump_json(), repr(plan), str(plan.changes)))
        shown += plan_file(run, plan, seen).model_dump_json() + repr(run)
        assert [value for value in (*SECRETS.values(), "hush-before") if value in shown] == []
