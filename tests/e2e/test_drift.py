"""What somebody does to a host by hand is told from what the configuration newly says, and is repaired."""

from __future__ import annotations

import json

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

Drift = tuple[str, str, str, str]
"""Host, kind of thing, its name, and a part of the cause."""


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.change(lambda config: config["servers"]["job"].update(options={"memory": "256m", "cpus": "0.5"}))
    project.kp("setup", version="v1")
    return project


def drifts(shop: Project) -> dict[tuple[str, str, str], dict[str, object]]:
    """What the plan calls drift, by host, kind and subject; nothing else may be in it."""
    plan = json.loads(shop.kp("plan", "--json", version="v1").stdout)
    names = {address: name for name, address in shop.lab.hosts.items()}
    changes = [(names[host["host"]], change) for host in plan["hosts"] for change in host["changes"]]
    own = [(host, change) for host, change in changes if not change["part_of"]]
    assert all(change["drift"] for _, change in own), own
    return {(host, change["kind"], change["subject"]): change for host, change in own}


def repaired(shop: Project) -> None:
    """A deploy of the same version mends everything, and then there is nothing to change."""
    shop.kp("deploy", version="v1")
    assert shop.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    assert [shop.served(host) for host in ("web1", "web2")] == ["v1", "v1"]


def by_hand(shop: Project, host: str, *commands: str) -> None:
    """Somebody is logged in."""
    shop.lab.ssh(host, " && ".join(commands))


def test_stopped_updated_and_edited(shop: Project) -> None:
    """A stopped container, an updated one, an edited env file and a stopped proxy are each drift with its cause."""
    by_hand(shop, "web1", "docker stop shop-web-v1", "echo A=1 >> .kamal/env/roles/shop-web.env")
    by_hand(shop, "web2", "docker update --memory 512m --memory-swap 1g shop-web-v1", "docker stop traefik")
    by_hand(shop, "job1", "docker update --restart no --cpus 1 --memory 128m shop-job-v1")
    found = drifts(shop)
    assert {key: change["cause"] for key, change in found.items()} == {
        ("web1", "env file", ".kamal/env/roles/shop-web.env"): "secret A removed",
        ("web1", "container", "shop-web-v1"): "is stopped",
        ("web2", "proxy", "traefik"): "is exited",
        ("web2", "container", "shop-web-v1"): "memory: 512m → (not set)",
        ("job1", "container", "shop-job-v1"): "memory, cpus, restart differ",
    }
    assert found["job1", "container", "shop-job-v1"]["differences"] == [
        {"field": "memory", "before": "128m", "after": "256m"},
        {"field": "cpus", "before": "1", "after": "0.5"},
        {"field": "restart", "before": "no", "after": "unless-stopped"},
    ]
    status = json.loads(shop.kp("status", "--json").stdout)
    changed = {(row["host"], row["role"]): row["state"] for row in status if row["drift"]}
    assert changed == {
        (shop.lab.hosts["web1"], "web"): "exited",
        (shop.lab.hosts["web2"], "web"): "running",
        (shop.lab.hosts["web2"], "proxy"): "exited",
        (shop.lab.hosts["job1"], "job"): "running",
    }
    repaired(shop)
    assert not any(row["drift"] for row in json.loads(shop.kp("status", "--json").stdout))
    assert shop.inspect("job1", "shop-job-v1")["HostConfig"]["Memory"] == 256 * 1024 * 1024


def test_removed_paused_and_opened(shop: Project) -> None:
    """A removed container, a paused one, a removed proxy and an env file that others may read are drift."""
    by_hand(shop, "web1", "docker rm -f shop-web-v1")
    by_hand(shop, "web2", "docker rm -f traefik", "chmod 644 .kamal/env/roles/shop-web.env")
    by_hand(shop, "job1", "docker pause shop-job-v1", "rm .kamal/env/roles/shop-job.env")
    assert {key: change["cause"] for key, change in drifts_without_folders(shop).items()} == {
        ("web1", "container", "shop-web-v1"): "was removed",
        ("web2", "env file", ".kamal/env/roles/shop-web.env"): "mode 644 → 600",
        ("web2", "proxy", "traefik"): "was removed",
        ("job1", "env file", ".kamal/env/roles/shop-job.env"): "was removed",
        ("job1", "container", "shop-job-v1"): "is paused",
    }
    repaired(shop)


def drifts_without_folders(shop: Project) -> dict[tuple[str, str, str], dict[str, object]]:
    """The same; the cord that a removed container leaves behind is no drift, it is left over."""
    plan = json.loads(shop.kp("plan", "--json", version="v1").stdout)
    names = {address: name for name, address in shop.lab.hosts.items()}
    own = [
        (names[host["host"]], change)
        for host in plan["hosts"]
        for change in host["changes"]
        if not change["part_of"] and change["kind"] != "directory"
    ]
    assert all(change["drift"] for _, change in own), own
    return {(host, change["kind"], change["subject"]): change for host, change in own}


def test_cut_cords_moved_tags_and_missing_files(shop: Project) -> None:
    """A cut cord, a moved tag, missing assets and an updated proxy are drift."""
    by_hand(shop, "web1", "rm .kamal/cords/shop-web-*/cord")
    by_hand(
        shop, "web2", "rm -r .kamal/assets/volumes/shop-web-v1", "docker update --memory 64m --memory-swap 128m traefik"
    )
    image = shop.inspect("job1", "shop-job-v1")["Config"]["Image"].rpartition(":")[0]
    by_hand(shop, "job1", f"docker rmi {image}:latest")
    unhealthy = "until docker inspect -f '{{.State.Health.Status}}' shop-web-v1 | grep -q unhealthy; do sleep 0.2; done"
    by_hand(shop, "web1", f"timeout 30 sh -c {json.dumps(unhealthy)}")
    found = {key: change["cause"] for key, change in drifts(shop).items()}
    assert found.pop(("web2", "proxy", "traefik")).startswith("memory: 64m → (not set); interrupts traffic")
    assert found == {
        ("web1", "container", "shop-web-v1"): "its cord was cut",
        ("web2", "assets", ".kamal/assets/volumes/shop-web-v1"): "not extracted",
        ("job1", "tag", f"{image}:latest"): "v1 is in service",
    }
    repaired(shop)


def test_files_edited_in_a_container_are_named_and_replaced_when_asked(shop: Project) -> None:
    """What somebody edits inside a container must be named; the container is replaced only when the user asks."""
    by_hand(shop, "web1", "docker exec shop-web-v1 sh -c 'echo >> /app/app.py; echo > /app/new.txt'")
    text = shop.kp("plan", version="v1").stdout
    assert "container shop-web-v1: files of its image changed: /app/app.py, by the app or by hand" in text
    assert "shop v1: nothing to change." in text
    (row,) = [row for row in json.loads(shop.kp("status", "--json").stdout) if row["drift"]]
    assert row["drift"] == ["container shop-web-v1: files of its image changed: /app/app.py"]
    shop.kp("deploy", "--replace-edited", version="v1")
    repaired(shop)


def test_a_change_of_the_configuration_is_no_drift(shop: Project) -> None:
    """What the configuration newly says must not be called drift."""
    shop.set_env(COLOR="green")
    plan = json.loads(shop.kp("plan", "--json", version="v1").stdout)
    assert not any(change["drift"] for host in plan["hosts"] for change in host["changes"])
    assert plan["summary"]["replace"] == 3
