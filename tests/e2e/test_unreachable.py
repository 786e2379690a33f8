"""Hosts that cannot be reached: a deploy stops before it changes anything, unless it may do without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

NO_SSH = "iptables -{} INPUT -p tcp --dport 22 -j DROP"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two web hosts that run v1, and a third host with nothing but an accessory, which is down."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"))
    web1, web2, job1 = (empty_hosts.hosts[host] for host in ("web1", "web2", "job1"))

    def reshape(config: dict) -> None:
        config["servers"] = {"web": {"hosts": [web1, web2]}}
        config["accessories"] = {"cache": {"image": empty_hosts.base_image, "host": job1, "cmd": "sleep 3600"}}
        config["ssh"]["connect_timeout"] = 2

    project.change(reshape)
    project.kp("setup", version="v1")
    empty_hosts.exec("job1", NO_SSH.format("I"))
    return project


def served(shop: Project) -> list[str]:
    return [shop.served(host) for host in ("web1", "web2")]


def test_a_host_with_accessories_only_does_not_hold_up_a_deploy(shop: Project) -> None:
    """A deploy has nothing to do on it, so it must go on without it and say so."""
    deployed = shop.kp("deploy", version="v2")
    assert f"{shop.lab.hosts['job1']} (cache) cannot be reached, and has accessories only" in deployed.stdout
    assert served(shop) == ["v2", "v2"]


def test_a_host_of_the_app_is_left_out_only_when_that_was_asked_for(shop: Project) -> None:
    """Without the option nothing may change; with it the others change, and the next run cures the rest."""
    web2 = shop.lab.hosts["web2"]
    shop.lab.exec("web2", NO_SSH.format("I"))
    refused = shop.kp("deploy", version="v3", code=1)
    assert f"{web2} failed (connect)" in refused.stderr
    assert "Nothing was changed." in refused.stderr
    assert served(shop) == ["v2", "v2"]
    shop.change(lambda config: config.update(boot={"max_unavailable": 0}))
    refused = shop.kp("deploy", "--skip-unreachable", version="v3", code=1)
    assert f"{web2} failed (connect)" in refused.stderr
    assert "Nothing was changed: `boot.max_unavailable` allows fewer hosts to be left out." in refused.stderr
    assert served(shop) == ["v2", "v2"]
    shop.change(lambda config: config.update(boot={"max_unavailable": 1}))
    deployed = shop.kp("deploy", "--skip-unreachable", version="v3")
    assert f"{web2} (web) cannot be reached and is left out; deploy again later" in deployed.stdout
    assert f"{web2} was left out." in deployed.stdout
    assert served(shop) == ["v3", "v2"]
    shop.lab.exec("web2", NO_SSH.format("D"))
    shop.kp("deploy", version="v3")
    assert served(shop) == ["v3", "v3"]


def test_a_host_that_goes_away_before_the_gate_is_left_out_too(shop: Project, tmp_path: Path) -> None:
    """It must not count for the gate when the run may do without it, and keep what it serves."""
    hook = shop.folder / ".kamal/hooks/pre-deploy"
    hook.parent.mkdir(parents=True)
    docker = f"docker -H {shop.lab.docker_host} exec {shop.lab.container('web2')}"
    hook.write_text(
        f"#!/bin/sh\n{docker} sh -c 'iptables -I INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset'\n"
    )
    hook.chmod(0o755)
    deployed = shop.kp("deploy", "--skip-unreachable", version="v4")
    hook.unlink()
    assert f"{shop.lab.hosts['web2']} was left out." in deployed.stdout
    assert served(shop) == ["v4", "v3"]
    shop.lab.exec("web2", "iptables -F INPUT")
    shop.kp("deploy", version="v4")
    eventually(lambda: served(shop) == ["v4", "v4"], what="both serve v4")
