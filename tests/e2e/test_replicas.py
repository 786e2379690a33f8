"""Several containers of a role on each host: they all serve, and their number changes without anybody noticing."""

from __future__ import annotations

import time

from tests.e2e.project import Project
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")


def scale(project: Project, number: int) -> None:
    project.change(lambda config: config["servers"]["web"].update(replicas=number))


def names(version: str, number: int) -> list[str]:
    return [f"shop-web-{version}{f'_replica_{index}' if index > 1 else ''}" for index in range(1, number + 1)]


def ids(project: Project, host: str) -> dict[str, str]:
    """Running app containers of a host, and which they are."""
    listed = project.lab.ssh(host, "docker ps --no-trunc --filter label=role --format '{{.Names}} {{.ID}}'").stdout
    return dict(line.split() for line in listed.splitlines())


def requests_of(project: Project, host: str, version: str, number: int) -> list[int]:
    """How many requests each of a version's containers has logged."""
    counted = (f"docker logs {name} 2>&1 | grep -c /version || true" for name in names(version, number))
    return [int(project.lab.ssh(host, command).stdout) for command in counted]


def test_replicas_come_go_and_change_versions_without_a_lost_request(project: Project, lab: Lab) -> None:
    """1 → 3 → new version → 2 → one removed by hand → back, under load: nothing is lost, nothing needless touched."""
    project.kp("setup", version="v1")
    before = {host: ids(project, host) for host in WEB}
    with Load(tuple(project.url(host) for host in WEB), seconds=240, rate=200) as load:
        scale(project, 3)
        project.kp("deploy", version="v1")
        for host in WEB:
            now = ids(project, host)
            assert sorted(now) == names("v1", 3)
            assert now["shop-web-v1"] == before[host]["shop-web-v1"]
        project.kp("deploy", version="v2")
        assert project.running(WEB) == dict.fromkeys(WEB, names("v2", 3))
        time.sleep(1)
        assert all(count > 10 for host in WEB for count in requests_of(project, host, "v2", 3))

        serving = {host: ids(project, host) for host in WEB}
        scale(project, 2)
        project.kp("deploy", version="v2")
        for host in WEB:
            assert ids(project, host) == {name: serving[host][name] for name in names("v2", 2)}

        scale(project, 3)
        project.kp("deploy", version="v2")
        lab.ssh(
            "web1",
            'rm -f $(docker inspect --format \'{{range .Mounts}}{{if eq .Destination "/tmp/kamal-cord"}}'
            "{{.Source}}{{end}}{{end}}' shop-web-v2_replica_2)/cord; sleep 2; docker rm -f shop-web-v2_replica_2",
        )
        left = ids(project, "web1")
        project.kp("deploy", version="v2")
        healed = ids(project, "web1")
        assert sorted(healed) == names("v2", 3)
        assert {name: healed[name] for name in left} == left

        project.kp("rollback", "v1", version="v2")
        assert project.running(WEB) == dict.fromkeys(WEB, names("v1", 3))
    assert load.report.failed == 0, load.report.as_json()
    assert project.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    rows = [line.split()[:4] for line in project.kp("status", version="v1").stdout.splitlines() if " web" in line]
    assert len(rows) == 6
