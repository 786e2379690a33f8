"""What the commands that only show, and those around the proxy and an accessory's folders, do on hosts."""

from __future__ import annotations

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOOK = '#!/bin/sh\necho "$(basename "$0") $KAMAL_HOSTS $KAMAL_COMMAND $KAMAL_SUBCOMMAND" >> hooks.log\n'


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two web hosts, a worker, and a cache beside the worker; two versions are there."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"))
    cache = {
        "image": empty_hosts.base_image,
        "host": empty_hosts.hosts["job1"],
        "cmd": "sleep 3600",
        "directories": ["data:/data"],
    }
    project.change(lambda config: config.update(accessories={"cache": cache}))
    project.kp("setup", version="v1")
    project.kp("deploy", version="v2")
    return project


def test_details_name_every_container_of_every_host(shop: Project) -> None:
    """Proxy, app and accessories must be shown with their host and state; the app's alone by `app details`."""
    lines = shop.kp("details").stdout.splitlines()
    shown = {host: [line for line in lines if shop.lab.hosts[host] in line] for host in ("web1", "web2", "job1")}
    for host in ("web1", "web2"):
        assert any("traefik" in line for line in lines), lines
        assert any("shop-web-v2" in line for line in lines), lines
        assert shown[host], lines
    assert any("shop-job-v2" in line for line in lines)
    assert any("shop-cache" in line for line in lines)
    app = shop.kp("app", "details").stdout
    assert ("shop-web-v2" in app, "shop-job-v2" in app, "shop-cache" in app, "traefik" in app) == (
        True,
        True,
        False,
        False,
    )


def test_app_containers_shows_those_that_were_kept_too(shop: Project) -> None:
    """What a rollback could start again must be listed with what runs, on each host."""
    listed = shop.kp("app", "containers").stdout
    for name in ("shop-web-v1", "shop-web-v2", "shop-job-v1", "shop-job-v2"):
        assert name in listed, listed


def test_directories_of_an_accessory_are_made_where_it_runs_and_nowhere_else(shop: Project) -> None:
    """A folder that somebody removed must come back without touching the container or its other files."""
    before = shop.inspect("job1", "shop-cache")["Id"]
    shop.lab.ssh("job1", "rmdir shop-cache/data")
    shop.kp("accessory", "directories", "cache")
    assert shop.lab.ssh("job1", "ls -d shop-cache/data").stdout == "shop-cache/data\n"
    assert not shop.lab.ssh("web1", "ls -d shop-cache", check=False).stdout
    assert shop.inspect("job1", "shop-cache")["Id"] == before


def test_hooks_stand_around_the_reboot_of_each_group_of_proxies(shop: Project) -> None:
    """A load balancer in front must be told which hosts go, before, and which are back, after."""
    folder = shop.folder / ".kamal/hooks"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pre-traefik-reboot", "post-traefik-reboot"):
        (folder / name).write_text(HOOK)
        (folder / name).chmod(0o755)
    web1, web2 = (shop.lab.hosts[host] for host in ("web1", "web2"))
    shop.kp("traefik", "reboot", "--rolling", "-y")
    log = shop.folder / "hooks.log"
    assert log.read_text().splitlines() == [
        f"{name} {host} traefik reboot"
        for host in (web1, web2)
        for name in ("pre-traefik-reboot", "post-traefik-reboot")
    ]
    log.unlink()
    shop.kp("traefik", "reboot", "-y")
    assert log.read_text().splitlines() == [
        f"{name} {web1},{web2} traefik reboot" for name in ("pre-traefik-reboot", "post-traefik-reboot")
    ]
    assert [shop.served(host) for host in ("web1", "web2")] == ["v2", "v2"]
