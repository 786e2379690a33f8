"""An accessory from setup to removal, on a host without role."""

from __future__ import annotations

import pytest

from tests.e2e.project import SECRETS, Project, eventually
from tests.e2e.test_app_commands import typed_at
from tests.lab.lab import Lab

SERVER = "printf 'got %s\\n' \"$LEVEL\"; exec python -m http.server --directory /data 8000"


@pytest.fixture
def shop(empty_hosts: Lab, tmp_path) -> Project:
    """A web host, and a database that is alone on its host."""
    lab = empty_hosts
    project = Project.create(lab, tmp_path)
    (tmp_path / "store.conf.erb").write_text('level=<%= ENV["LEVEL"] %>')
    project.change(
        lambda config: config.update(
            servers={"web": [lab.hosts["web1"]]},
            accessories={
                "store": {
                    "image": lab.base_image,
                    "host": lab.hosts["job1"],
                    "port": "8055:8000",
                    "cmd": f"sh -c '{SERVER}'".replace("'got %s\\n'", '"got %s\\n"'),
                    "env": {"clear": {"LEVEL": "one"}, "secret": ["TOP_SECRET"]},
                    "files": ["store.conf.erb:/etc/store.conf:ro"],
                    "directories": ["data:/data"],
                }
            },
        )
    )
    return project


def identity(project: Project) -> str:
    return str(project.inspect("job1", "shop-store")["Id"])


def set_level(project: Project, level: str) -> None:
    project.change(lambda config: config["accessories"]["store"]["env"]["clear"].update(LEVEL=level))


def assert_commands_run(shop: Project) -> None:
    assert shop.kp("accessory", "exec", "store", "cat /data/row").stdout == "kept\n"
    assert shop.kp("accessory", "exec", "store", "--reuse", "cat", "/etc/store.conf").stdout == "level=two\n"
    exec_in_store = ("accessory", "exec", "store", "-i", "--reuse", "sh")
    code, shown = typed_at(shop, *exec_in_store, keys="tty; cat /data/row; exit 3\n")
    assert (code, "/dev/pts/" in shown, "\nkept" in shown) == (3, True, True), shown


def test_an_accessory_lives_longer_than_deploys_and_keeps_its_data(shop: Project) -> None:
    """Setup boots it, deploys only speak of it, a reboot applies what changed, and its data outlives all of them."""
    lab = shop.lab
    shop.kp("setup")
    made = shop.inspect("job1", "shop-store")
    assert made["State"]["Running"]
    assert "LEVEL=one" in made["Config"]["Env"]
    assert f"TOP_SECRET={SECRETS['TOP_SECRET']}" in made["Config"]["Env"]
    assert made["HostConfig"]["PortBindings"]["8000/tcp"][0]["HostPort"] == "8055"
    listed = lab.ssh("job1", "cat shop-store/etc/store.conf; stat -c ' %a' shop-store/etc/store.conf; "
                     "stat -c %a .kamal/env/accessories/shop-store.env").stdout  # fmt: skip
    assert listed == "level=one 755\n600\n"
    lab.ssh("job1", "echo kept > shop-store/data/row")
    eventually(lambda: lab.ssh("job1", "curl -sf http://localhost:8055/row", check=False).stdout == "kept\n")

    before = identity(shop)
    assert "nothing to change" in shop.kp("setup").stdout
    assert identity(shop) == before

    set_level(shop, "two")
    planned = shop.kp("plan", "--detailed-exitcode")
    assert "env LEVEL: one → two" in planned.stdout
    assert "run `kp accessory reboot store`" in planned.stdout
    shop.kp("deploy", version="v2")
    assert identity(shop) == before

    shop.kp("accessory", "reboot", "store")
    assert identity(shop) != before
    assert lab.ssh("job1", "cat shop-store/etc/store.conf shop-store/data/row").stdout == "level=twokept\n"
    assert "Not part of this run" not in shop.kp("plan", version="v2").stdout
    again = identity(shop)
    shop.kp("accessory", "boot", "all")
    assert identity(shop) == again

    assert "got two" in shop.kp("accessory", "logs", "store").stdout
    assert_commands_run(shop)
    shop.kp("accessory", "stop", "store")
    assert "run `kp accessory start store`" in shop.kp("plan", version="v2").stdout
    shop.kp("accessory", "start", "store")
    shop.kp("accessory", "restart", "store")
    assert "running" in shop.kp("accessory", "details", "all").stdout
    assert identity(shop) == again
    assert "No accessory by the name of 'stor'" in shop.kp("accessory", "boot", "stor", code=3).stderr

    shop.change(lambda config: config.update(accessories={}))
    left = shop.kp("plan", version="v2", code=0).stdout
    assert "store is not in the config" not in left  # its host left with it, and is named as such
    assert f"{lab.hosts['job1']} (accessories) is not in the config any more" in left
    shop.change(lambda config: config["servers"].update(web=[lab.hosts["web1"], lab.hosts["job1"]]))
    assert (
        "accessory store is not in the config any more; run `kp accessory remove store`"
        in shop.kp("plan", version="v2").stdout
    )
    shop.kp("accessory", "remove", "store", "-y")
    assert lab.ssh("job1", "docker ps -aq --filter label=service=shop-store").stdout == ""
    assert lab.ssh("job1", "cat shop-store/data/row; ls .kamal/env/accessories").stdout == "kept\n"
    log = lab.ssh("job1", "cut -d']' -f3- .kamal/shop-audit.log").stdout
    for line in ("Booted store accessory", "Stopped store accessory", "Started store accessory",
                 "Executed cmd 'cat /data/row' on store accessory", "Remove store accessory container",
                 "Removed store accessory image"):  # fmt: skip
        assert line in log
    assert SECRETS["TOP_SECRET"] not in log
