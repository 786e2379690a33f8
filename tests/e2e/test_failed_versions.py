"""The old version serves until the new one is proven on every host."""

from __future__ import annotations

import pytest

from tests.e2e.project import Project, standard_config
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")


@pytest.fixture(scope="module")
def serving(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.kp("setup", version="v1")
    return project


def assert_as_before(project: Project, version: str = "v1") -> None:
    assert {host: project.served(host) for host in WEB} == dict.fromkeys(WEB, version)
    assert project.running(("web1", "web2", "job1")) == {
        "web1": [f"shop-web-{version}"],
        "web2": [f"shop-web-{version}"],
        "job1": [f"shop-job-{version}"],
    }
    assert not project.lock_exists()


def test_a_version_that_never_becomes_healthy_changes_nothing(serving: Project) -> None:
    """A version that is healthy nowhere must leave the old one serving everywhere, and say what it saw."""
    before = {host: serving.inspect(host, "shop-web-v1")["State"]["StartedAt"] for host in WEB}
    serving.set_env(APP_NEVER_HEALTHY="1")
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        failed = serving.kp("deploy", version="sick", code=1)
    assert load.report.failed == 0, load.report.as_json()
    assert_as_before(serving)
    assert {host: serving.inspect(host, "shop-web-v1")["State"]["StartedAt"] for host in WEB} == before
    assert not any("sick" in name for host in ("web1", "web2", "job1") for name in serving.containers(host))
    for text in (serving.lab.hosts["web1"], "not healthy after", "health check exited", "last lines of its log"):
        assert text in failed.stderr
    assert "All hosts run what they ran before; the new containers are gone." in failed.stderr


def test_a_version_that_is_healthy_on_one_host_only_is_taken_back(serving: Project) -> None:
    """Half a fleet must never stay on a new version: all healthy or nothing switched, without a lost request."""
    bad_host = serving.lab.hosts["web2"]
    serving.change(
        lambda config: config.update(
            env={
                "clear": {"APP_UNHEALTHY_ON": "second"},
                "secret": ["TOP_SECRET"],
                "tags": {"second": {"APP_HOST_TAG": "second"}},
            }
        )
    )
    serving.change(
        lambda config: config["servers"]["web"].update(hosts=[serving.lab.hosts["web1"], {bad_host: "second"}])
    )
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        failed = serving.kp("deploy", version="half", code=1)
    assert load.report.failed == 0, load.report.as_json()
    assert_as_before(serving)
    assert bad_host in failed.stderr
    assert serving.containers("web1") == {"shop-web-v1": "running"}


def test_a_version_that_crashes_is_given_up_at_once(serving: Project) -> None:
    """A container that exits must fail the deploy at once, not after the deadline."""
    serving.write(standard_config(serving.lab) | {"env": {"clear": {"APP_CRASH_AFTER": "0"}}})
    failed = serving.kp("deploy", version="crash", code=1)
    assert "stopped before it was ready" in failed.stderr
    assert_as_before(serving)


def test_the_next_good_deploy_works(serving: Project) -> None:
    """After failed deploys a good version must deploy with the same command, and leave nothing of the bad ones."""
    serving.write(standard_config(serving.lab))
    serving.kp("deploy", version="v2")
    assert_as_before(serving, "v2")
    assert serving.kp("plan", version="v2").stdout == "shop v2: nothing to change.\n"


def test_an_image_without_the_services_label_is_refused(serving: Project) -> None:
    """An image that was not built for this service must not be started."""
    docker, registry = serving.lab.docker, serving.lab.registry.server
    docker("tag", serving.lab.base_image, f"{registry}/shop:foreign")
    docker("push", "--quiet", f"{registry}/shop:foreign")
    failed = serving.kp("deploy", "--skip-push", version="foreign", code=1)
    assert "is missing the 'service' label" in failed.stderr
    assert_as_before(serving, "v2")


def test_a_version_that_is_not_in_the_registry_is_not_found(serving: Project) -> None:
    """Without a build, a version that nobody pushed must fail before anything that serves is touched."""
    failed = serving.kp("deploy", "--skip-push", version="nowhere", code=1)
    assert "nowhere" in failed.stderr
    assert_as_before(serving, "v2")
