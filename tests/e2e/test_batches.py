"""Hosts in batches: config order, and a failing batch brings the earlier ones back."""

from __future__ import annotations

import pytest

from tests.e2e.project import Project, standard_config
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")


@pytest.fixture(scope="module")
def serving(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"), boot={"limit": 1, "wait": 0})
    project.kp("setup", version="v1")
    return project


def break_second_host(project: Project, failure: str) -> None:
    config = standard_config(project.lab) | {
        "boot": {"limit": 1, "wait": 0, "failure": failure},
        "env": {
            "clear": {"APP_UNHEALTHY_ON": "second"},
            "secret": ["TOP_SECRET"],
            "tags": {"second": {"APP_HOST_TAG": "second"}},
        },
    }
    config["servers"]["web"]["hosts"] = [project.lab.hosts["web1"], {project.lab.hosts["web2"]: "second"}]
    project.write(config)


def test_batches_go_one_after_the_other(serving: Project) -> None:
    """With `boot.limit: 1` the second host must keep the old version until the first runs the new one."""
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        said = serving.kp("deploy", version="v2").stdout
    assert load.report.failed == 0, load.report.as_json()
    found = [line.rpartition(": ")[2] for line in said.splitlines() if "Boot the" in line]
    boots = list(dict.fromkeys(found))  # a host with no other role awaits its proxy meanwhile
    assert boots == [serving.lab.hosts[name] for name in ("web1", "web2", "job1")]
    assert serving.running(WEB) == {"web1": ["shop-web-v2"], "web2": ["shop-web-v2"]}


def test_a_failing_batch_brings_the_earlier_ones_back(serving: Project) -> None:
    """When the second batch fails, the first must go back to the old version, without a lost request."""
    break_second_host(serving, "rollback")
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        serving.kp("deploy", version="half", code=1)
    assert load.report.failed == 0, load.report.as_json()
    assert serving.running((*WEB, "job1")) == {
        "web1": ["shop-web-v2"],
        "web2": ["shop-web-v2"],
        "job1": ["shop-job-v2"],
    }
    assert {host: serving.served(host) for host in WEB} == dict.fromkeys(WEB, "v2")
    assert not serving.lock_exists()


def test_halt_leaves_the_earlier_batches(serving: Project) -> None:
    """With `boot.failure: halt` the earlier batch must stay on the new version, and the message must say so."""
    break_second_host(serving, "halt")
    failed = serving.kp("deploy", version="half", code=1)
    assert serving.running(WEB) == {"web1": ["shop-web-half"], "web2": ["shop-web-v2"]}
    assert f"{serving.lab.hosts['web1']} run half; all other hosts run what they ran before." in failed.stderr
    serving.write(standard_config(serving.lab))
    serving.kp("deploy", version="v3")
    assert serving.running(WEB) == {"web1": ["shop-web-v3"], "web2": ["shop-web-v3"]}


def test_pyinfra_rolls_in_batches_too(serving: Project) -> None:
    """Under pyinfra's own command line the second host must wait for the first, without a lost request."""
    serving.write(standard_config(serving.lab) | {"boot": {"limit": 1, "wait": 1}})
    with Load(tuple(serving.url(host) for host in WEB), rate=100) as load:
        said = serving.pyinfra("-y", "inventory.py", "deploys/deploy.py", "--data", "version=v4", version="v4").stderr
    assert load.report.failed == 0, load.report.as_json()
    assert serving.running((*WEB, "job1")) == {
        "web1": ["shop-web-v4"],
        "web2": ["shop-web-v4"],
        "job1": ["shop-job-v4"],
    }
    assert said.count("Starting operation: Deploy | Wait between batches") == 2  # between three batches
