"""Who deployed what, read from audit logs of both tools."""

from __future__ import annotations

from kamal_pyinfra.insight.history import FAILED, FINISHED, Deployed, deploy_message, history, seconds_of
from kamal_pyinfra.plan.changes import CreateDirectories
from kamal_pyinfra.plan.plan import HostPlan, Plan

CHANGES = (CreateDirectories(paths=(".kamal",), cause="not found"),)
PLAN = Plan(
    service="shop",
    version="v2",
    command="deploy",
    build=None,
    hosts=(HostPlan(host="web1", roles=("web",), changes=CHANGES), HostPlan(host="web2", roles=(), changes=CHANGES)),
)
AT = "[2026-05-01T10:00:00Z] [dev@example.com] [staging]"


def test_the_line_about_a_deploy() -> None:
    assert deploy_message(FINISHED, PLAN, seconds=6.14, where="") == (
        "Finished deploy of version v2 after 6.1 s: 2 created"
    )
    assert deploy_message(FAILED, PLAN, seconds=31, where="boot on web1, web2") == (
        "Failed deploy of version v2 after 31.0 s at boot on web1, web2: 2 to create"
    )


def test_the_lines_of_one_deploy_of_ours_are_one_deploy() -> None:
    steps = [f"{AT} Pulled image with version v2", f"{AT} [web] Booted app version v2"]
    tag = f"{AT} Tagging registry.example.com:5000/shop:v2 as the latest image"
    told = f"{AT} {deploy_message(FINISHED, PLAN, seconds=6.1, where='')}"
    assert history({"web1": [*steps, tag, told], "web2": [*steps, tag]}) == (
        Deployed(
            at="2026-05-01T10:00:00Z",
            by="dev@example.com",
            command="deploy",
            version="v2",
            seconds=6.1,
            result=FINISHED,
            tool="kp",
            summary="2 created",
            hosts=("web1", "web2"),
        ),
    )


def test_a_failure_says_where() -> None:
    told = f"{AT} {deploy_message(FAILED, PLAN, seconds=31, where='boot on web1, web2')}"
    (found,) = history({"web1": [told]})
    assert (found.result, found.where, found.summary) == (FAILED, "boot on web1, web2", "2 to create")


def kamal(time: str, message: str) -> str:
    return f"[2026-05-01T{time}Z] [ops] {message}"


def test_kamals_lines_are_read_too_and_those_close_together_are_one_deploy() -> None:
    logs = {
        "web1": [
            kamal("10:00:00", "Pulled image with version v1"),
            kamal("10:00:05", "[web] Booted app version v1"),
            kamal("10:00:20", "Tagging acme/shop:v1 as the latest image"),
            kamal("10:05:00", "[web] Booted app version v1"),
            kamal("10:05:09", "Tagging acme/shop:v1 as the latest image"),
            kamal("12:00:00", "[web] Booted app version v2"),
            "not a line of an audit log",
        ],
        "web2": [
            kamal("10:00:06", "[web] Booted app version v1"),
            kamal("10:00:21", "Tagging acme/shop:v1 as the latest image"),
        ],
    }
    assert [(each.at, each.version, each.result, each.seconds, each.hosts, each.tool) for each in history(logs)] == [
        ("2026-05-01T12:00:00Z", "v2", "Unfinished", 0, ("web1",), "other"),
        ("2026-05-01T10:05:00Z", "v1", "Finished", 9, ("web1",), "other"),
        ("2026-05-01T10:00:05Z", "v1", "Finished", 16, ("web1", "web2"), "other"),
    ]


def test_seconds_know_leap_days_and_the_turn_of_the_year() -> None:
    assert seconds_of("2024-03-01T00:00:00Z") - seconds_of("2024-02-28T00:00:00Z") == 2 * 86400
    assert seconds_of("2026-03-01T00:00:00Z") - seconds_of("2026-02-28T00:00:00Z") == 86400
    assert seconds_of("2026-01-01T00:00:01Z") - seconds_of("2025-12-31T23:59:59Z") == 2


def test_the_lines_of_a_run_that_was_killed_are_one_deploy() -> None:
    """They all carry the time at which it began, whatever the order of hosts."""
    steps = [f"{AT} [web] Booted app version v2", f"{AT} Tagging acme/shop:v2 as the latest image"]
    (found,) = history({"web1": steps, "web2": steps, "job1": steps[:1]})
    assert (found.version, found.result, found.hosts) == ("v2", FINISHED, ("job1", "web1", "web2"))
    (found,) = history({"web1": steps[:1], "web2": steps[:1]})
    assert (found.result, found.hosts) == ("Unfinished", ("web1", "web2"))
