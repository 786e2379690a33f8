"""From a bare server to a served app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab


def one_server(lab: Lab, folder: Path, host: str, **ssh: object) -> Project:
    project = Project.create(lab, folder, servers=[{lab.hosts[host]: ssh} if ssh else lab.hosts[host]])
    project.change(lambda config: config.pop("asset_path"))
    return project


@pytest.mark.parametrize("user", ["root", "admin"])
def test_setup_installs_docker_on_a_bare_host(lab: Lab, tmp_path: Path, user: str) -> None:
    """A server without Docker must serve after one command, as root or as a user with sudo."""
    lab.recreate("bare1")
    project = one_server(lab, tmp_path, "bare1", user=user)
    refused = project.kp("deploy", version="v1", code=1)
    assert "run `kp setup` first" in refused.stderr
    project.kp("setup", version="v1")
    assert project.served("bare1") == "v1"
    assert project.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    lab.recreate("bare1")


def test_a_user_in_the_docker_group_can_deploy(lab: Lab, tmp_path: Path) -> None:
    """A user without root rights who may use Docker must be able to do everything."""
    lab.reset("web2", images=False)
    project = one_server(lab, tmp_path, "web2", user="deploy")
    project.kp("deploy", version="v1")
    project.kp("deploy", version="v2")
    project.kp("rollback", "v1", version="v2")
    assert project.served("web2") == "v1"
    assert lab.ssh("web2", "ls -d /home/deploy/.kamal /root/.kamal", check=False).stdout.split() == [
        "/home/deploy/.kamal"
    ]


def test_an_unreachable_host_is_named_before_anything_changes(lab: Lab, tmp_path: Path) -> None:
    """A host that cannot be reached must stop the deploy, and the message must name it."""
    project = Project.create(lab, tmp_path)
    project.change(lambda config: config["ssh"].update(port=9))
    refused = project.kp("deploy", version="v1", code=1)
    assert f"{lab.hosts['web1']} failed (connect)" in refused.stderr
    assert "Nothing was changed." in refused.stderr


def test_a_host_with_sudo_only_and_one_behind_a_jump_host_can_deploy(lab: Lab, tmp_path: Path) -> None:
    """A user who needs sudo for Docker must be able to do everything, also through a jump host."""
    lab.reset("web2", images=False)
    project = one_server(lab, tmp_path, "web2", user="admin", sudo=True)
    project.change(lambda config: config["ssh"].update(proxy=lab.hosts["web1"]))
    project.kp("deploy", version="v1")
    project.set_env(APP_CRASH_AFTER="0")
    project.kp("deploy", version="v2", code=1)
    project.set_env(COLOR="blue")
    assert project.containers("web2") == {"shop-web-v1": "running"}
    assert not lab.ssh("web2", "ls /home/admin/.kamal/locks").stdout
    project.kp("deploy", version="v3")
    project.pyinfra("-y", "inventory.py", "deploys/rollback.py", "--data", "version=v1", version="v3")
    assert project.served("web2") == "v1"
