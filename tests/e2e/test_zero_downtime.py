"""The main promise: versions change under load, and no request is lost."""

from __future__ import annotations

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
