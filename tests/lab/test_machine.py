from __future__ import annotations

from pathlib import Path

from tests.lab.apt import find_mirror
from tests.lab.hosts import may_grant_all
from tests.lab.images import recipe_text
from tests.lab.netfilter import removals

RULES = """-P FORWARD DROP
-N DOCKER
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i tun0 -j ACCEPT
-A DOCKER-USER -j RETURN""".splitlines()


def test_the_mirror_is_read_from_both_kinds_of_sources_and_is_not_the_security_archive() -> None:
    deb822 = "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\n"
    security = "deb http://mirror.example/debian-security bookworm-security main\n"
    one_line = "# deb http://old.example/debian x main\ndeb [arch=amd64 trusted=yes] http://b.example/debian x main\n"
    assert find_mirror([deb822]) == "http://mirror.example/debian"
    assert find_mirror([security, one_line]) == "http://b.example/debian"
    assert find_mirror(["# nothing here\n", security]) is None


def test_only_dockers_own_firewall_rules_are_removed() -> None:
    assert removals(RULES) == [
        ["-D", "FORWARD", "-j", "DOCKER-USER"],
        ["-D", "FORWARD", "-i", "docker0", "!", "-o", "docker0", "-j", "ACCEPT"],
        ["-D", "DOCKER-USER", "-j", "RETURN"],
        ["-X", "DOCKER"],
        ["-X", "DOCKER-USER"],
    ]


def test_privileged_hosts_need_sys_resource_in_the_bounding_set() -> None:
    assert may_grant_all("Name:\tx\nCapBnd:\t000001ffffffffff\n")
    assert not may_grant_all("Name:\tx\nCapBnd:\t000001fffeffffff\n")


def test_a_recipe_is_told_apart_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    before = recipe_text(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM other")
    assert recipe_text(tmp_path) != before
    (tmp_path / "Dockerfile").rename(tmp_path / "Containerfile")
    assert recipe_text(tmp_path) != before.replace("scratch", "other")
