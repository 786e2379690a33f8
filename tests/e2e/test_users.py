"""Every command works for a user in the group docker and for one with sudo, neither of them root."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

HOSTS = ("web1", "web2")
COMMANDS = """
doctor
server bootstrap
server exec id
setup
plan
status
details
deploy                          v2
plan --detailed-exitcode        v2
plan --out plan.json            v3
apply plan.json                 v3
rollback v2
redeploy                        v4
app boot                        v4
app containers
app details
app exec --reuse id
app exec id                     v4
app images
app logs
app stale_containers --stop
app stop
app start
app version
app remove_container v2
audit
env push                        v4
exec id                         v4
logs
lock acquire --message busy
lock status
lock release
prune all                       v4
prune accessories -y            v4
registry login
accessory boot db
accessory upload db
accessory directories db
accessory details db
accessory exec db --reuse id
accessory exec db id
accessory logs db
accessory stop db
accessory start db
accessory restart db
accessory reboot db
accessory remove db -y
traefik details
traefik logs
traefik stop
traefik start
traefik restart
traefik reboot -y
app remove_images
app remove_containers
app remove
env delete
registry logout
remove -y
"""


OF_EACH_KIND = """
doctor
server exec id
setup
deploy                          v2
rollback v1                     v2
app exec --reuse id
app exec id                     v1
app stop
app start
env push                        v1
lock acquire --message busy
lock release
prune accessories -y            v1
accessory boot db
accessory upload db
accessory remove db -y
traefik reboot -y
remove -y
"""
"""One of each kind, and those that no other scenario runs."""


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A service on two hosts, each reached as another kind of user."""
    folder = tmp_path_factory.mktemp("users")
    project = Project.create(empty_hosts, folder)
    (folder / "db.conf").write_text("x")
    project.change(lambda config: mixed(project, config))
    return project


def mixed(project: Project, config: dict[str, Any]) -> None:
    web1, web2 = (project.lab.hosts[host] for host in HOSTS)
    kinds = [{web1: {"user": "deploy"}}, {web2: {"user": "admin", "sudo": True}}]
    config["servers"] = {"web": {"hosts": kinds}}
    config["accessories"] = {
        "db": {
            "image": project.lab.base_image,
            "cmd": "sleep 600",
            "roles": ["web"],
            "env": {"secret": ["TOP_SECRET"]},
            "files": ["db.conf:/etc/db.conf"],
            "directories": ["data:/data"],
            "options": {"init": True},
        }
    }


@pytest.mark.parametrize("commands", [OF_EACH_KIND, COMMANDS], ids=["one of each kind", "all"])
def test_every_command_works_for_both_kinds_of_user(shop: Project, commands: str) -> None:
    """The command tree must work on one fleet of a host reached by group and a host reached by sudo."""
    failed = []
    for line in filter(None, commands.split("\n")):
        command, _, version = (part.strip() for part in line.partition("    "))
        done = shop.kp(*command.split(), version=version or "v1", code=None)
        if done.returncode != 0 or "Traceback" in done.stderr:
            failed.append(f"kp {command}: {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        if command == "deploy":
            assert {host: shop.served(host) for host in HOSTS} == dict.fromkeys(HOSTS, "v2")
            assert secret_files(shop) == {"web1": ["600 deploy 700"], "web2": ["600 root 700"]}
    assert failed == []
    listed = "docker ps -aq; docker images -q --filter label=service=shop"
    assert {host: shop.lab.ssh(host, listed).stdout for host in HOSTS} == {"web1": "", "web2": ""}


def secret_files(shop: Project) -> dict[str, list[str]]:
    """Mode and owner of every env file, and the mode of its folder."""
    find = "find /home/*/.kamal /root/.kamal -name '*.env' -path '*roles*' -size +1c 2>/dev/null"
    show = f'{find} | while read -r file; do echo "$(stat -c "%a %U" "$file") $(stat -c %a "$(dirname "$file")")"; done'
    return {host: shop.lab.ssh(host, show).stdout.splitlines() for host in HOSTS}


def test_the_lock_is_held_by_a_user_with_sudo_too(shop: Project) -> None:
    """Where the primary host is reached with sudo the lock and its exclusion must work as elsewhere."""
    shop.change(lambda config: config["servers"]["web"]["hosts"].reverse())
    shop.kp("lock", "acquire", "--message", "busy")
    assert "Message: busy" in shop.kp("lock", "status").stdout
    assert "busy" in shop.kp("deploy", version="v9", code=4).stderr
    shop.kp("lock", "release")
    assert "no deploy lock" in shop.kp("lock", "status").stdout
