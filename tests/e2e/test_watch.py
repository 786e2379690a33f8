"""`boot.watch`: a version that goes bad after the switch gives way to the old one by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")
ALL = (*WEB, "job1")
RATE = 100
SICK = {"APP_SICK_AFTER": "25"}
"""Later than a switch is through on a machine that has much else to do, and before the watch is over."""


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    watch(project, 60)
    project.kp("setup", version="v1")
    return project


def watch(project: Project, seconds: int, **more: str) -> None:
    project.change(lambda config: config.update(boot={"watch": {"seconds": seconds, **more}}))


@pytest.fixture
def sick_on_web2(shop: Project) -> Iterator[None]:
    """The next version gets sick some seconds after it has all the traffic, on one host."""
    web1, web2 = (shop.lab.hosts[name] for name in WEB)
    shop.change(lambda config: config["env"].update(tags={"sick": SICK}))
    shop.change(lambda config: config["servers"]["web"].update(hosts=[web1, {web2: "sick"}]))
    yield
    shop.change(lambda config: config["env"].pop("tags"))
    shop.change(lambda config: config["servers"]["web"].update(hosts=[web1, web2]))


def everywhere(version: str) -> dict[str, list[str]]:
    return {"web1": [f"shop-web-{version}"], "web2": [f"shop-web-{version}"], "job1": [f"shop-job-{version}"]}


@pytest.mark.usefixtures("sick_on_web2")
@pytest.mark.parametrize(("door", "version"), [("kp", "v2"), ("pyinfra", "v3")], ids=["kp", "pyinfra"])
def test_a_version_that_goes_bad_after_the_switch_gives_way_to_the_old_one(
    shop: Project, door: str, version: str
) -> None:
    """All hosts must go back, on both doors, with no failed request but what the sick version fails by itself."""
    with Load(tuple(shop.url(host) for host in WEB), rate=RATE) as load:
        if door == "kp":
            done = shop.kp("deploy", version=version, code=1)
        else:
            done = shop.pyinfra("-y", "inventory.py", "deploys/deploy.py", version=version, code=1)
    said = done.stdout + done.stderr
    assert f"shop-web-{version}: went bad after the switch (running unhealthy)" in said, said
    assert shop.running(ALL) == everywhere("v1")
    assert {host: shop.served(host) for host in WEB} == dict.fromkeys(WEB, "v1")
    assert {f"shop-web-{version}"}.isdisjoint(shop.containers("web2"))
    assert load.report.versions.get(version), "the new version had no traffic"
    assert set(load.report.failed_at) <= {shop.url("web2")}, load.report.as_json()
    assert load.report.failed <= 3 * RATE / 2, load.report.as_json()  # of three seconds, one host's half
    assert not shop.lock_exists()
    if door == "kp":
        assert f"{shop.lab.hosts['web2']} failed (watch: Watch the new version)" in done.stderr
        assert "All hosts run what they ran before; the new containers are gone." in done.stderr


def test_after_that_nothing_is_left_to_do(shop: Project) -> None:
    """The plan for the version that was gone back to must hold no container."""
    assert "container shop-" not in shop.kp("plan", version="v1").stdout


def test_a_run_that_is_killed_while_it_watches_is_finished_by_the_next(shop: Project) -> None:
    """The new version must go on serving, the old one be stopped by the rerun, and no request be lost."""
    watch(shop, 60)
    with Load(tuple(shop.url(host) for host in WEB), rate=RATE) as load:
        running = shop.start("kp", "deploy", version="v4")
        cord = "docker inspect -f '{{range .Mounts}}{{.Source}}\n{{end}}' shop-web-v1 | grep cords"
        is_cut = f"test ! -e $({cord})/cord && docker inspect shop-web-v4"
        for host in WEB:
            eventually(
                lambda host=host: shop.lab.ssh(host, is_cut, check=False).returncode == 0, seconds=60, what="the switch"
            )
        eventually(lambda: set(map(shop.served, WEB)) == {"v4"}, what="the new version")
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=20)
        assert shop.running(WEB) == {host: ["shop-web-v1", "shop-web-v4"] for host in WEB}
        shop.kp("deploy", version="v4")
    assert load.report.failed == 0, load.report.as_json()
    assert shop.running(ALL) == everywhere("v4")
    assert not shop.lock_exists()


def test_a_version_that_keeps_well_is_asked_and_stays(shop: Project) -> None:
    """The command must run in the new containers and the URL be asked from their hosts, until the time is over."""
    asked = "echo asked >> /tmp/asked"
    watch(shop, 7, cmd=asked, url="http://localhost/version")
    with Load(tuple(shop.url(host) for host in WEB), rate=RATE) as load:
        shop.kp("deploy", version="v5")
    assert load.report.failed == 0, load.report.as_json()
    assert shop.running(ALL) == everywhere("v5")
    for host in WEB:
        assert int(shop.lab.ssh(host, "docker exec shop-web-v5 grep -c asked /tmp/asked").stdout) > 3
