"""Accessories: each operation sends its commands, or nothing where it holds."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from kamal_pyinfra.operations.apply import applied
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.observed import Status
from kamal_pyinfra.shell import accessory as commands
from kamal_pyinfra.shell.script import guarded, with_functions
from tests.operations.conftest import CONFIG, HOSTS, OTHER, PRIMARY, fresh, step
from tests.operations.fleet import changed, failed
from tests.shell.builders import SECRETS, golden_config, new_run

ACCESSORY = """
accessories:
  db:
    image: mysql:8
    host: 192.0.2.2
    env: {clear: {LEVEL: one}, secret: [POSTGRES_PASSWORD]}
    files: [my.cnf:/etc/my.cnf]
    directories: [data:/var/lib/mysql]
"""
AUDIT = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] {}' >> .kamal/shop-audit.log"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of the command ``accessory`` on a configuration with one accessory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.cnf").write_text("level=one\n")
    return new_run(golden_config(CONFIG + ACCESSORY), "v2", command="accessory")


UPLOAD = with_functions(commands.write_file("shop-db/etc/my.cnf"))


def container_of(run):
    return desired_host(run, OTHER).accessories[0]


def with_db(run, host, **fields):
    """A host on which the accessory is, as it was made by the configuration."""
    seen = fresh(run, host)
    if host != OTHER:
        return seen
    db = container_of(run)
    labels = {**dict(db.labels), "kp.digest": db.digest, "kp.accessory": db.owner}
    template = accessory_container_template(db.name, db.image, labels)
    return replace(seen, containers=(replace(template, **fields),))


def accessory_container_template(name, image, labels):
    from kamal_pyinfra.plan.state.observed import ObservedContainer

    return ObservedContainer(
        id="1", name=name, image=image, image_id="sha256:m", created="", status=Status.RUNNING, health=None,
        restarts=0, labels=labels, env={}, mounts={}, command=(), ports={}, health_command=None,
    )  # fmt: skip


def audited(*messages: str) -> str:
    return " && ".join(AUDIT.format(message) for message in messages)


def test_a_missing_accessory_gets_its_folders_its_files_on_standard_input_and_runs(fleet, run) -> None:
    hosts = fleet(fresh, run)
    db, server = container_of(run), hosts.servers[OTHER]
    boot = guarded(f"{commands.run(db)} && {audited('Booted db accessory')}", seconds=1800, key="pull_timeout")
    upload = UPLOAD
    for command in ("( umask 022 && mkdir -p shop-db/data )", upload):
        server.knows(command)
    server.knows(boot, then=with_db(run, OTHER))
    assert changed(hosts.does(applied, **step("accessory boot"))) == [OTHER]
    assert hosts.commands(OTHER) == ["( umask 022 && mkdir -p shop-db/data )", upload, boot]
    assert server.typed == ["10\n" + base64.b64encode(b"level=one\n").decode()]
    assert hosts.commands(PRIMARY) == []
    assert changed(hosts.does(applied, **step("accessory boot"))) == []


def test_a_reboot_replaces_what_is_there(fleet, run) -> None:
    rebooting = replace(run, command="accessory reboot")
    hosts = fleet(with_db, rebooting)
    messages = ("Stopped db accessory", "Remove db accessory container", "Booted db accessory")
    script = guarded(f"{commands.replace(container_of(run))} && {audited(*messages)}", seconds=1800, key="pull_timeout")
    for command in (
        "( umask 022 && mkdir -p shop-db/data )",
        UPLOAD,
    ):
        hosts.servers[OTHER].knows(command)
    hosts.servers[OTHER].knows(script, err=["port is taken"], is_success=False)
    assert failed(hosts.does(applied, **step("accessory boot"))) == [OTHER]
    assert hosts.commands(OTHER)[-1] == script


STOP = f"docker stop shop-db > /dev/null && {AUDIT.format('Stopped db accessory')}"
START = f"docker start shop-db > /dev/null && {AUDIT.format('Started db accessory')}"


def exited(run, host):
    return with_db(run, host, status=Status.EXITED)


@pytest.mark.parametrize(
    ("command", "before", "after", "script"),
    [("accessory stop", with_db, exited, STOP), ("accessory start", exited, with_db, START)],
)
def test_an_accessory_is_switched_once(fleet, run, command, before, after, script) -> None:
    hosts = fleet(lambda _, host: before(run, host), run)
    hosts.servers[OTHER].knows(guarded(script, seconds=120), then=after(run, OTHER))
    # A host that has no such container is refused by the plan; here only the carrier is asked.
    assert changed(hosts.does(applied, [OTHER], **step(command))) == [OTHER]
    assert changed(hosts.does(applied, [OTHER], **step(command))) == []


def test_a_restart_stops_and_starts(fleet, run) -> None:
    hosts = fleet(with_db, run)
    hosts.servers[OTHER].knows(guarded(f"{STOP} && {START}", seconds=120))
    assert changed(hosts.does(applied, **step("accessory restart"))) == [OTHER]


@pytest.mark.parametrize(("with_data", "data"), [(False, ""), (True, " && rm -rf shop-db")])
def test_a_removal_keeps_data_unless_asked_also_when_it_left_the_config(fleet, run, with_data, data) -> None:
    script = (
        f"{STOP} && docker rm shop-db > /dev/null && {AUDIT.format('Remove db accessory container')}"
        f" && {commands.remove_image('mysql:8')} && {AUDIT.format('Removed db accessory image')}"
        f" && rm -f .kamal/env/accessories/shop-db.env{data}"
    )
    for current in (run, new_run(golden_config(CONFIG), "v2", command="accessory", accessories=("db",))):
        hosts = fleet(lambda _, host: with_db(run, host), current)
        hosts.servers[OTHER].knows(guarded(script, seconds=300), then=fresh(run, OTHER))
        assert changed(hosts.does(applied, **step("accessory remove", with_data=with_data))) == [OTHER]
        assert changed(hosts.does(applied, **step("accessory remove", with_data=with_data))) == []


def test_no_secret_of_an_accessory_is_in_a_command_or_a_print(fleet, run) -> None:
    hosts = fleet(fresh, run)
    for command in (
        "( umask 022 && mkdir -p shop-db/data )",
        UPLOAD,
    ):
        hosts.servers[OTHER].knows(command)
    boot = f"{commands.run(container_of(run))} && {audited('Booted db accessory')}"
    hosts.servers[OTHER].knows(guarded(boot, seconds=1800, key="pull_timeout"))
    hosts.does(applied, **step("accessory boot"))
    said = "\n".join([*hosts.printed, *(line for name in HOSTS for line in hosts.commands(name))])
    assert SECRETS["POSTGRES_PASSWORD"] not in said
