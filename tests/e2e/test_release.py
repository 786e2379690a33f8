"""`release`: a command that runs once, in the new version, before anything boots."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")
ALL = (*WEB, "job1")


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.change(lambda config: config.update(volumes=["records:/records"]))
    return project


def releases(project: Project, script: str, **more: object) -> None:
    """What the command does; the volume keeps what it did."""
    command = f"sh -c '{script}'"
    project.change(lambda config: config.update(release={"cmd": command, **more}))


def records(project: Project, host: str) -> list[str]:
    read = f"docker run --rm -v records:/records {project.lab.registry.server}/shop:v1 sh -c 'cat /records/* 2>&1'"
    return project.lab.ssh(host, read, check=False).stdout.splitlines()


def leftovers(project: Project) -> list[str]:
    listing = "docker ps -aq --filter label=kp.release"
    return [line for host in ALL for line in project.lab.ssh(host, listing).stdout.splitlines()]


def everywhere(version: str) -> dict[str, list[str]]:
    return {"web1": [f"shop-web-{version}"], "web2": [f"shop-web-{version}"], "job1": [f"shop-job-{version}"]}


def test_the_release_command_runs_once_before_anything_boots(shop: Project) -> None:
    """On one host, with the role's secrets, once per version; what it says is shown; nothing to do runs nothing."""
    releases(shop, 'echo "$KAMAL_VERSION ${#TOP_SECRET}" | tee -a /records/done')
    secret = len(shop.env["TOP_SECRET"])
    first = shop.kp("setup", version="v1").stdout
    assert f"release  v1 {secret}\n" in first, first
    assert first.index(f"v1 {secret}\n") < first.index("Boot the primary role")
    assert "~ release   sh -c" in shop.kp("plan", version="v2").stdout
    shop.kp("deploy", version="v1")
    with Load(tuple(shop.url(host) for host in WEB), rate=100) as load:
        shop.kp("deploy", version="v2")
        shop.kp("rollback", "v1", version="v2")
    assert load.report.failed == 0, load.report.as_json()
    assert shop.running(ALL) == everywhere("v1")
    assert records(shop, "web1") == [f"v1 {secret}", f"v2 {secret}"]
    assert records(shop, "web2") == ["cat: '/records/*': No such file or directory"]
    assert leftovers(shop) == []
    assert "Ran release command of version v2" in shop.kp("audit", "-n", "50", "-p", version="v2").stdout


def test_a_release_command_that_fails_stops_the_deploy(shop: Project) -> None:
    """Whether it exits with an error or lasts too long, on both doors: nothing may be booted, the lock be free."""
    with Load(tuple(shop.url(host) for host in WEB), rate=100) as load:
        releases(shop, "echo about to fail; exit 3")
        failed = shop.kp("deploy", version="v3", code=1)
        door = shop.pyinfra("-y", "inventory.py", "deploys/deploy.py", version="v4", code=1)
        releases(shop, "echo begun; sleep 100", timeout=2)
        late = shop.kp("deploy", version="v5", code=1)
    assert load.report.failed == 0, load.report.as_json()
    host = shop.lab.hosts["web1"]
    assert f"{host} failed (release: Run the release command)\n  about to fail\n" in failed.stderr
    assert "the release command ended with exit code 3" in failed.stderr
    assert "Nothing was booted or switched: what served before serves now." in failed.stderr
    assert "the release command ended with exit code 3" in door.stdout + door.stderr
    assert "the release command was killed: 2 seconds are over" in late.stderr
    assert "(release.timeout)" in late.stderr
    assert shop.running(ALL) == everywhere("v1")
    assert {name for host in ALL for name in shop.containers(host) if name[-1] in "345"} == set()
    assert leftovers(shop) == []
    assert not shop.lock_exists()


def test_a_run_that_is_killed_while_it_releases_is_healed_by_the_next(shop: Project) -> None:
    """The command must not go on in the dark, and the rerun must run it from the start."""
    releases(shop, "echo begun >> /records/begun; sleep 100")
    running = shop.start("kp", "deploy", version="v6")
    eventually(lambda: "begun" in records(shop, "web1"), seconds=60, what="the release command")
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=20)
    eventually(lambda: leftovers(shop) == [], what="the end of the container")
    releases(shop, "echo again >> /records/begun")
    shop.kp("deploy", version="v6")
    assert shop.running(ALL) == everywhere("v6")
    assert records(shop, "web1")[:2] == ["begun", "again"]
    assert shop.kp("plan", version="v6").stdout == "shop v6: nothing to change.\n"
