"""Hosts with a strict umask (CIS benchmarks ask for 027), and an app that is not root in its container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOSTS = {"web1": "root", "web2": "deploy"}
UMASKS = {"web1": "077", "web2": "027"}


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A service on a host of root's and on one of a user in the group docker, whose image has its own user."""
    servers = [{empty_hosts.hosts[host]: {"user": user}} for host, user in HOSTS.items()]
    accessory = {
        "image": empty_hosts.base_image,
        "cmd": "sleep infinity",
        "roles": ["web"],
        "options": {"user": "1000:1000"},
        "directories": ["data:/data"],
        "files": ["page.html:/page.html"],
    }
    project = Project.create(
        empty_hosts, tmp_path_factory.mktemp("umask"), servers={"web": servers}, accessories={"db": accessory}
    )
    (project.folder / "page.html").write_text("hello\n")
    project.add_to_image("USER 1000:1000")
    for host, umask in UMASKS.items():
        empty_hosts.ssh(host, f"cp /etc/login.defs /etc/login.defs.kept; echo 'UMASK {umask}' >> /etc/login.defs")
    try:
        yield project
    finally:
        for host in UMASKS:
            empty_hosts.ssh(host, "mv /etc/login.defs.kept /etc/login.defs")


def test_an_app_that_is_not_root_is_deployed_under_a_strict_umask(shop: Project) -> None:
    """It must reach its cord and both versions' assets, and an accessory its files; secrets stay closed."""
    shop.kp("setup", version="v1")
    shop.kp("deploy", version="v2")
    for host, user in HOSTS.items():
        umask = shop.lab.ssh(host, "umask", user=user).stdout.strip()
        assert umask != "0022"
        for command, said in (
            ("shop-web-v2 cat public/assets/app-v1.css public/assets/app-v2.css", "/* v1 */\n/* v2 */\n"),
            ("shop-db cat /page.html", "hello\n"),
            ("shop-db ls /data", ""),
        ):
            found = shop.lab.ssh(host, f"docker exec {command}", user=user).stdout
            assert found.replace("body { color: black } ", "") == said
        assert shop.served(host) == "v2"
        modes = shop.lab.ssh(host, "stat -c '%a %n' .kamal .kamal/env/roles .kamal/env/roles/*.env", user=user).stdout
        assert modes == "755 .kamal\n700 .kamal/env/roles\n600 .kamal/env/roles/shop-web.env\n"
    assert shop.kp("plan", version="v2").stdout == "shop v2: nothing to change.\n"
