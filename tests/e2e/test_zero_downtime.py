"""The main promise: versions change under load, and no request is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.e2e.project import Project
from tests.lab.traffic import Load

WEB = ("web1", "web2")
ALL = (*WEB, "job1")


def test_three_versions_and_a_rollback_lose_no_request(project: Project) -> None:
    """v1 → v2 → v3 and three rollbacks under load on both web hosts must lose none of at least 10,000 requests."""
    project.kp("setup", version="v1")
    urls = tuple(project.url(host) for host in WEB)
    with Load(urls, seconds=240, rate=400) as load:
        project.kp("deploy", version="v2")
        project.kp("deploy", version="v3")
        project.kp("rollback", "v2", version="v3")
        project.kp("rollback", "v3", version="v2")
        project.kp("rollback", "v2", version="v3")
    assert load.report.failed == 0, load.report.as_json()
    assert load.report.total >= 10_000
    assert set(load.report.versions) == {"v1", "v2", "v3"}
    assert {host: project.served(host) for host in WEB} == {"web1": "v2", "web2": "v2"}
    assert project.containers("web1") == {
        "shop-web-v1": "exited",
        "shop-web-v2": "running",
        "shop-web-v3": "exited",
    }
    assert project.containers("job1") == {
        "shop-job-v1": "exited",
        "shop-job-v2": "running",
        "shop-job-v3": "exited",
    }
    assert not project.lock_exists()


def test_an_old_container_leaves_with_the_check_that_watched_its_cord(project: Project) -> None:
    """The check under way when the cord is cut must be the one that fails, so that no host waits for another."""
    project.kp("setup", version="v1")
    project.kp("deploy", version="v2")
    failing = {host: project.inspect(host, "shop-web-v1")["State"]["Health"]["Log"][-1] for host in WEB}
    assert {host: check["ExitCode"] for host, check in failing.items()} == {"web1": 1, "web2": 1}
    # One of them may be between two checks, if booting takes very long.
    assert any(datetime.fromisoformat(check["Start"]) < first_cut_possible(project) for check in failing.values())
    assert [project.lab.ssh(host, "ls .kamal/cords/*").stdout.count("standby") for host in WEB] == [0, 0]


def first_cut_possible(project: Project) -> datetime:
    """No cord is cut before the new worker has run for `readiness_delay`."""
    worker = datetime.fromisoformat(project.inspect("job1", "shop-job-v2")["State"]["StartedAt"])
    return worker + timedelta(seconds=project.config["readiness_delay"])
