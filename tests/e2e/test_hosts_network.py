"""A role without the proxy that listens on the host's own network: its old version stops before the new one starts."""

from __future__ import annotations

import urllib.request

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

OLD_FIRST = "stops first, both use the host's network"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One host, no proxy, and an app that listens on port 3000 of the host; two versions of it are built."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"))
    role = {
        "hosts": [empty_hosts.hosts["job1"]],
        "traefik": False,
        "cmd": "python app.py",
        "options": {"network": "host"},
    }
    project.change(lambda config: config.update(servers={"job": role}, primary_role="job"))
    project.kp("setup", version="v1")
    project.kp("build", "push", version="v2")
    return project


def answers(project: Project) -> str:
    """The version that listens on the host."""
    try:
        with urllib.request.urlopen(f"http://{project.lab.hosts['job1']}:3000/version", timeout=5) as answer:
            return str(answer.read().decode()).strip()
    except OSError:
        return ""


def serves(project: Project, version: str) -> bool:
    return (answers(project), project.running(("job1",))) == (version, {"job1": [f"shop-job-{version}"]})


def test_a_version_that_does_not_start_makes_room_for_the_old_one(shop: Project) -> None:
    """The old version had to stop, so it must be started again once the new one is gone, and answer."""
    cmd = shop.config["servers"]["job"]["cmd"]
    shop.change(lambda config: config["servers"]["job"].update(cmd="python missing.py"))
    failed = shop.kp("deploy", "--skip-push", version="v2", code=1)
    shop.change(lambda config: config["servers"]["job"].update(cmd=cmd))
    assert "All hosts run what they ran before" in failed.stderr, failed.stderr
    eventually(lambda: serves(shop, "v1"), what="v1 on the host's network")


def test_every_later_deploy_and_rollback_gets_the_port(shop: Project) -> None:
    """A new version, one with other settings, and a retained one must find the port free, as the plan says."""
    assert f"interrupts job: shop-job-v1 {OLD_FIRST}" in shop.kp("plan", version="v2").stdout
    shop.kp("deploy", "--skip-push", version="v2")
    assert serves(shop, "v2")
    shop.set_env(COLOR="green")
    shop.kp("deploy", "--skip-push", version="v2")
    assert serves(shop, "v2")
    shop.set_env(COLOR="blue")
    shop.kp("rollback", "v1")
    assert serves(shop, "v1")


def test_pyinfras_own_command_line_does_the_same(shop: Project) -> None:
    """Who deploys with pyinfra must get the port too, and the old version back where the new one fails."""
    shop.set_env(COLOR="blue", PYTHONHOME="/nowhere")
    shop.pyinfra("inventory.py", "deploys/deploy.py", "--data", "version=v2", "-y", version="v2", code=1)
    eventually(lambda: serves(shop, "v1"), what="v1 on the host's network")
    shop.set_env(COLOR="blue")
    shop.pyinfra("inventory.py", "deploys/deploy.py", "--data", "version=v2", "-y", version="v2")
    assert serves(shop, "v2")
