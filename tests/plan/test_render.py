"""A plan for people and for machines."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from kamal_pyinfra.plan.changes import (
    BuildImage,
    Change,
    CreateDirectories,
    LogIn,
    PullImage,
    RemoveContainer,
    RemoveDirectory,
    RemoveImage,
    TagLatest,
)
from kamal_pyinfra.plan.compare.fields import Difference, as_cause
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.plan.output.text import change_line, change_lines, render_text, summary
from kamal_pyinfra.plan.plan import HostPlan, Plan, make_plan
from tests.conftest import MakeConfig, a_run
from tests.plan.hosts import deployed, fresh, plan_of

PULL = PullImage(image="acme/shop:v2", service="shop", cause="not on the host")
TAG = TagLatest(image="acme/shop:v2", tag="acme/shop:latest", cause="v2 is in service")
OLD = RemoveContainer(name="shop-web-v0", role="web", cause="only 1 are retained")


def plan(*hosts: HostPlan, build: BuildImage | None = None) -> Plan:
    return Plan(service="shop", version="v2", command="deploy", build=build, hosts=hosts)


def host(name: str, *changes: Change, roles: tuple[str, ...] = ("web",)) -> HostPlan:
    return HostPlan(host=name, roles=roles, changes=changes)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (PULL, "+ image     acme/shop:v2  not on the host"),
        (TAG, "~ tag       acme/shop:latest  v2 is in service"),
        (OLD, "- container shop-web-v0  only 1 are retained"),
        (RemoveImage(image="acme/shop:v0", cause="why"), "- image     acme/shop:v0  why"),
        (RemoveDirectory(path=".kamal/cords/x", cause="why"), "- directory .kamal/cords/x  why"),
        (CreateDirectories(paths=("a", "b"), cause="not found"), "+ directory a, b  not found"),
        (LogIn(server=None, cause="to pull x"), "~ registry  Docker Hub  to pull x"),
        (LogIn(server="r.example.com", cause="to pull x"), "~ registry  r.example.com  to pull x"),
        (
            BuildImage(image="acme/shop:v2", cause="1 host does not have it"),
            "+ build     acme/shop:v2  1 host does not have it",
        ),
    ],
)
def test_a_change_is_symbol_kind_subject_and_cause(change: Change, line: str) -> None:
    assert change_line(change) == line


def test_a_cause_stays_on_its_line_and_cannot_command_the_terminal() -> None:
    change = replace(OLD, cause="env A: one\ntwo\r → \x1b[2Jthree\x07\tfour")
    assert change_line(change) == "- container shop-web-v0  env A: one\\ntwo\\r → three\\tfour"


@pytest.mark.parametrize("empty", [plan(), plan(host("192.0.2.1")), plan(host("192.0.2.1"), host("192.0.2.2"))])
def test_an_empty_plan_is_one_line(empty: Plan) -> None:
    assert empty.is_empty
    assert render_text(empty) == "shop v2: nothing to change.\n"


def test_hosts_with_the_same_changes_are_shown_once() -> None:
    text = render_text(
        plan(
            host("192.0.2.1", PULL, TAG),
            host("192.0.2.2"),
            host("192.0.2.3", PULL, TAG),
            host("192.0.2.4", PULL, TAG, roles=("web", "job")),
            host("192.0.2.5", PULL, OLD, TAG),
            host("192.0.2.6", roles=()),
        )
    )
    assert text == dedent("""\
        Plan for shop v2

        web ×2: 192.0.2.1, 192.0.2.3
          + image     acme/shop:v2      not on the host
          ~ tag       acme/shop:latest  v2 is in service

        web: 192.0.2.2
          nothing to change

        web, job: 192.0.2.4
          + image     acme/shop:v2      not on the host
          ~ tag       acme/shop:latest  v2 is in service

        web: 192.0.2.5
          + image     acme/shop:v2      not on the host
          - container shop-web-v0       only 1 are retained
          ~ tag       acme/shop:latest  v2 is in service

        no role: 192.0.2.6
          nothing to change

        Plan: 0 to replace, 4 to create, 4 to change, 1 to remove, 0 unchanged.
        """)


def test_hosts_that_differ_in_the_cause_alone_are_shown_apart() -> None:
    text = render_text(plan(host("192.0.2.1", TAG), host("192.0.2.2", replace(TAG, cause="moved"))))
    assert text == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ tag       acme/shop:latest  v2 is in service

        web: 192.0.2.2
          ~ tag       acme/shop:latest  moved

        Plan: 0 to replace, 0 to create, 2 to change, 0 to remove, 0 unchanged.
        """)


def test_of_more_than_six_hosts_the_first_are_named() -> None:
    names = [f"192.0.2.{number}" for number in range(1, 13)]
    assert render_text(plan(*(host(name, OLD) for name in names))) == dedent("""\
        Plan for shop v2

        web ×12: 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6 and 6 more
          - container shop-web-v0  only 1 are retained

        Plan: 0 to replace, 0 to create, 0 to change, 12 to remove, 0 unchanged.
        """)
    assert "192.0.2.6\n" in render_text(plan(*(host(name, OLD) for name in names[:6])))


def test_hosts_that_differ_only_in_what_comes_along_are_shown_once() -> None:
    brought = replace(TAG, part_of=OLD.name)
    hosts = (host("192.0.2.1", OLD, brought), host("192.0.2.2", OLD))
    assert "web ×2: 192.0.2.1, 192.0.2.2\n" in render_text(plan(*hosts))
    assert "web: 192.0.2.1\n" in render_text(plan(*hosts), is_whole=True)


def test_what_comes_along_is_shown_when_all_is_asked_for(config: MakeConfig) -> None:
    made = make_plan(a_run(config()), {"192.0.2.1": deployed(config(), "v1")})
    assert render_text(made, is_whole=True) == dedent("""\
        Plan for shop v2

        this machine
          + build     acme/shop:v2                                            1 host does not have it

        web: 192.0.2.1
          ~ registry  Docker Hub                                              to pull acme/shop:v2
          + image     acme/shop:v2                                            not on the host
          ± container shop-web-v2                                             version v1 → v2
          - container shop-web-v1                                             stops, replaced by shop-web-v2
          ~ tag       acme/shop:latest                                        v2 is in service
          - directory .kamal/cords/shop-web-11111111111111111111111111111111  no container mounts it

        Plan: 1 to replace, 2 to create, 0 to change, 0 to remove, 3 unchanged.
        """)


def test_several_differences_are_a_line_each_and_one_is_in_its_cause() -> None:
    fields = tuple(Difference(field=name, before="1", after="2") for name in ("memory", "cpus"))
    one, two = (replace(OLD, cause=as_cause(fields[:n]), differences=fields[:n]) for n in (1, 2))
    assert list(change_lines(one)) == ["- container shop-web-v0  memory: 1 → 2"]
    assert list(change_lines(two)) == [
        "- container shop-web-v0  memory, cpus differ",
        "  memory: 1 → 2",
        "  cpus: 1 → 2",
    ]


def test_drift_is_marked() -> None:
    assert change_line(replace(OLD, is_drift=True)) == "- container shop-web-v0  only 1 are retained (drift)"


def test_notes_stay_on_their_line_and_cannot_command_the_terminal() -> None:
    noted = replace(plan(host("192.0.2.1")), notes=("one\ntwo\x1b[2J",))
    assert render_text(noted) == "Note: one\\ntwo\nshop v2: nothing to change.\n"
    of_host = plan(replace(host("192.0.2.1"), notes=("a\n\x1b[31mb",)))
    assert render_text(of_host) == "shop v2: nothing to change.\n192.0.2.1: a\\nb\n"
    changing = plan(replace(host("192.0.2.1", OLD), notes=("a\n\x1b[31mb",)))
    assert "\n  (a\\nb)\n" in render_text(changing)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ((PULL,), "Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 0 unchanged."),
        ((OLD, TAG, PULL, TAG), "Plan: 0 to replace, 1 to create, 2 to change, 1 to remove, 0 unchanged."),
    ],
)
def test_the_summary_counts_by_what_happens(changes: tuple[Change, ...], text: str) -> None:
    assert summary(plan(host("192.0.2.1", *changes))) == text


@pytest.mark.parametrize(
    ("missing", "cause"), [(1, "1 host does not have it"), (2, "2 hosts do not have it"), (3, "3 hosts do not have it")]
)
def test_the_build_says_how_many_hosts_are_without_the_image(config: MakeConfig, missing: int, cause: str) -> None:
    names = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    three = config(servers=names)
    seen = [fresh(name) if number < missing else deployed(three, "v2", name) for number, name in enumerate(names)]
    made = make_plan(a_run(three), {each.host: each for each in seen})
    assert made.build == BuildImage(image="acme/shop:v2", cause=cause)
    assert made.changes[0] is made.build


@pytest.mark.parametrize("is_allowed", [True, False])
def test_nothing_is_built_when_it_is_there_or_not_allowed(config: MakeConfig, is_allowed: bool) -> None:
    seen = deployed(config(), "v2") if is_allowed else fresh()
    assert make_plan(a_run(config(), is_build_allowed=is_allowed), {seen.host: seen}).build is None


def test_hosts_appear_in_the_order_of_the_configuration_the_primary_role_first(config: MakeConfig) -> None:
    roles = config(servers={"job": ["192.0.2.1"], "web": ["192.0.2.3", "192.0.2.2"]})
    seen = [fresh(name) for name in ("192.0.2.1", "192.0.2.2", "192.0.2.3")]
    assert [line for line in plan_of(roles, *seen).splitlines() if line.startswith(("web", "job"))] == [
        "web ×2: 192.0.2.3, 192.0.2.2",
        "job: 192.0.2.1",
    ]


def test_hosts_that_take_no_part_do_not_appear(config: MakeConfig) -> None:
    two = config(servers=["192.0.2.1", "192.0.2.2"])
    made = make_plan(a_run(two), {"192.0.2.2": deployed(two, "v1", "192.0.2.2")})
    assert [each.host for each in made.hosts] == ["192.0.2.2"]


def test_the_whole_plan_as_json(config: MakeConfig) -> None:
    staging = config(destination="staging", servers={"web": ["192.0.2.1"], "job": ["192.0.2.2"]})
    seen = {"192.0.2.1": deployed(staging, "v1"), "192.0.2.2": deployed(staging, "v2", "192.0.2.2")}
    assert plan_document(make_plan(a_run(staging), seen)).model_dump() == {
        "format_version": 1,
        "service": "shop-staging",
        "version": "v2",
        "command": "deploy",
        "build": change("create", "build", "acme/shop:v2", "1 host does not have it"),
        "hosts": [
            {
                "host": "192.0.2.1",
                "roles": ["web"],
                "changes": [
                    change("update", "registry", "Docker Hub", "to pull acme/shop:v2", part_of="acme/shop:v2"),
                    change("create", "image", "acme/shop:v2", "not on the host"),
                    change("replace", "container", NEW, "version v1 → v2", "web"),
                    change("remove", "container", BEFORE, f"stops, replaced by {NEW}", "web", part_of=NEW),
                    change("update", "tag", "acme/shop:latest-staging", "v2 is in service", part_of=NEW),
                    change(
                        "remove",
                        "directory",
                        ".kamal/cords/shop-web-staging-11111111111111111111111111111111",
                        "no container mounts it",
                        part_of=NEW,
                    ),
                ],
                "advice": [],
                "unchanged": 3,
                "notes": [],
            },
            {"host": "192.0.2.2", "roles": ["job"], "changes": [], "advice": [], "unchanged": 4, "notes": []},
        ],
        "notes": [],
        "summary": {"replace": 1, "create": 2, "change": 0, "remove": 0, "unchanged": 7},
    }


NEW = "shop-web-staging-v2"
BEFORE = "shop-web-staging-v1"


def change(action: str, kind: str, subject: str, cause: str, role: str = "", part_of: str = "") -> dict[str, object]:
    texts = {"action": action, "kind": kind, "subject": subject, "role": role, "cause": cause, "part_of": part_of}
    return {**texts, "differences": [], "drift": False}
