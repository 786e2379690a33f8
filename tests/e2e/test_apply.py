"""A plan in a file: carried out as it was printed, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOSTS = ("web1", "web2", "job1")


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.kp("setup", version="v1")
    return project


def everything(shop: Project) -> dict[tuple[str, str], dict[str, Any]]:
    """`docker inspect` of every container on every host, without what time changes."""
    found = {}
    for host in HOSTS:
        inspected = json.loads(shop.lab.ssh(host, "docker inspect $(docker ps -aq)").stdout)
        for container in inspected:
            found[host, container["Name"].lstrip("/")] = {
                "id": container["Id"],
                "running": container["State"]["Running"],
                "started": container["State"]["StartedAt"],
                "config": container["Config"],
                "host": container["HostConfig"],
            }
    return found


def test_a_plan_is_carried_out_as_it_was_printed(shop: Project) -> None:
    """Only what the plan names may differ afterwards; everything else is the same container, never restarted."""
    shop.change(lambda config: config["servers"]["job"].update(env={"clear": {"QUEUES": "mail"}}))
    shop.kp("plan", "--out", "plan.json", version="v1")
    file = shop.folder / "plan.json"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert shop.env["TOP_SECRET"] not in text
    digest = shop.lab.ssh("job1", "sha256sum < .kamal/env/roles/shop-job.env").stdout.split()[0]
    assert digest not in text
    before = everything(shop)
    shop.kp("apply", "plan.json", version="ignored")
    after = everything(shop)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == {("job1", "shop-job-v1")}
    assert "QUEUES=mail" in after["job1", "shop-job-v1"]["config"]["Env"]
    again = shop.kp("apply", "plan.json", code=1)
    assert "The fleet has changed since the plan was made; nothing was changed." in again.stderr


def test_a_plan_is_refused_when_the_fleet_or_the_configuration_moved(shop: Project) -> None:
    """What moved must be named, and nothing be done."""
    shop.kp("plan", "--out", "plan.json", version="v2")
    shop.lab.ssh("web2", "docker stop shop-web-v1")
    refused = shop.kp("apply", "plan.json", code=1)
    assert f"{shop.lab.hosts['web2']}: container shop-web-v1 state: running → exited" in refused.stderr
    shop.lab.ssh("web2", "docker start shop-web-v1")
    shop.kp("deploy", version="v1")
    shop.kp("plan", "--out", "plan.json", version="v2")
    shop.set_env(COLOR="green")
    refused = shop.kp("apply", "plan.json", code=1)
    assert "The plan would be another one today; nothing was changed." in refused.stderr
    assert "newly planned" in refused.stderr
    assert shop.served("web1") == "v1"
    (shop.folder / "plan.json").write_text("{}")
    assert shop.kp("apply", "plan.json", code=3).stderr.startswith("plan.json: ")


def test_without_secrets_the_ones_on_the_hosts_are_kept(shop: Project) -> None:
    """A machine without the secrets must be able to plan and deploy, and say what it does not see."""
    shop.kp("deploy", version="v1")
    kept = Project(shop.lab, shop.folder, {})
    refused = kept.kp("plan", version="v2", code=3)
    assert "TOP_SECRET is not set" in refused.stderr
    text = kept.kp("plan", "--keep-env", version="v2").stdout
    assert "Note: Secrets are kept as they are on the hosts (--keep-env); changes of them are not compared." in text
    kept.kp("deploy", "--keep-env", version="v2")
    assert shop.served("web1") == "v2"
    assert f"TOP_SECRET={shop.env['TOP_SECRET']}" in shop.inspect("job1", "shop-job-v2")["Config"]["Env"]
    assert shop.kp("plan", version="v2").stdout == "shop v2: nothing to change.\n"


def test_a_host_that_left_is_named_and_emptied_when_asked(shop: Project) -> None:
    """A host that is no longer in the configuration must be remembered, and cleaned only by `--decommission`."""
    gone = shop.lab.hosts["web2"]
    shop.change(lambda config: config["servers"]["web"]["hosts"].remove(gone))
    note = f"Note: {gone} (web) is not in the config any more: `kp deploy --decommission` removes shop from it"
    assert note in shop.kp("plan", version="v2").stdout
    shop.kp("deploy", version="v3")
    assert shop.containers("web2")["shop-web-v2"] == "running"
    refused = shop.kp("deploy", "--decommission", version="v3", code=3).stderr
    assert f"Records on the hosts name: {gone} (web)" in refused
    assert gone in shop.kp("plan", "--decommission", "-y", version="v3").stdout
    shop.kp("deploy", "--decommission", "-y", version="v3")
    assert shop.lab.ssh("web2", "docker ps -aq").stdout == ""
    left = shop.lab.ssh("web2", "find .kamal -type f").stdout.split()
    assert [Path(path).name for path in left] == ["shop-audit.log"]
    assert shop.kp("plan", version="v3").stdout == "shop v3: nothing to change.\n"
