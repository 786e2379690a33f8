"""A fleet that Kamal deployed is taken over as it is."""

from __future__ import annotations

import json
import re

import pytest

from kamal_pyinfra import naming
from kamal_pyinfra.config import load_config
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.proxy.traefik import PROMPT_ROUTES
from kamal_pyinfra.shell import app
from kamal_pyinfra.shell.proxy import container as proxy
from kamal_pyinfra.shell.script import group
from tests.conftest import a_run
from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab
from tests.lab.traffic import Load
from tests.shell.builders import counted_by_docker

OUR_LABELS = re.compile(r" --label '?kp\.[a-z]+=[^ ']*'?")
NOTHING = "shop v1: nothing to change.\n"


def as_kamal(line: str) -> str:
    """A command without our own labels and arguments, and with the cord mounted as Kamal mounts it."""
    return OUR_LABELS.sub("", line.replace(":/tmp/kamal-cord:ro ", ":/tmp/kamal-cord ")).replace(
        f" {PROMPT_ROUTES}", ""
    )


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """What kp deployed, with every container made anew by Kamal's own line, and nothing that only kp leaves."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.kp("setup", version="v1")
    config = load_config(project.folder / "config/deploy.yml", environ=project.environment("v1"))
    for name in ("web1", "web2", "job1"):
        desired = desired_host(a_run(config, "v1", run_id="a" * 32), project.lab.hosts[name])
        lines = ["docker rm -f $(docker ps -aq) > /dev/null", "rm -rf .kamal/cords/*"]
        for container in desired.containers:
            lines += [group(f"tie_cord {container.cord}")] if container.cord else []
            lines.append(as_kamal(app.run(counted_by_docker(container))))
        lines += [as_kamal(proxy.run(desired.proxy))] if desired.proxy else []
        lines.append(f"rm -rf {naming.hosts_record(desired.run.config)} {naming.edits_directory(desired.run.config)}")
        project.lab.ssh(name, " && ".join(lines))
    assert "kp.digest" not in project.inspect("web1", "shop-web-v1")["Config"]["Labels"]
    healthy = "docker inspect -f '{{.State.Health.Status}}' shop-web-v1"
    for name in ("web1", "web2"):
        eventually(lambda name=name: project.lab.ssh(name, healthy).stdout == "healthy\n", what=f"{name} healthy")
    return project


def test_the_same_configuration_plans_no_change(shop: Project) -> None:
    """Without our labels and record, the same configuration must plan nothing at all."""
    assert shop.kp("plan", version="v1").stdout == NOTHING


def test_one_changed_variable_is_the_whole_plan_and_loses_no_request(shop: Project) -> None:
    """Only what was changed may be planned, and be carried out on Kamal's containers without a lost request."""
    shop.set_env(COLOR="green")
    shop.env["TOP_SECRET"] = "rotated-by-hand"
    plan = json.loads(shop.kp("plan", "--json", version="v1").stdout)
    shown = {
        (change["subject"], change["cause"])
        for host in plan["hosts"]
        for change in host["changes"]
        if not change["part_of"]
    }
    assert shown == {
        (".kamal/env/roles/shop-web.env", "secret TOP_SECRET changed"),
        (".kamal/env/roles/shop-job.env", "secret TOP_SECRET changed"),
        ("shop-web-v1", "secret TOP_SECRET, env COLOR differ"),
        ("shop-job-v1", "secret TOP_SECRET, env COLOR differ"),
    }
    with Load((shop.url("web1"), shop.url("web2")), seconds=100, rate=200) as load:
        shop.kp("deploy", version="v1")
    assert load.report.failed == 0, load.report.as_json()
    assert "COLOR=green" in shop.inspect("web2", "shop-web-v1")["Config"]["Env"]
    assert shop.kp("plan", version="v1").stdout == NOTHING
