"""The same deploy through pyinfra's own command line."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")


@pytest.fixture(scope="module")
def door(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"))
    project.pyinfra("-y", "inventory.py", "deploys/setup.py", "--data", "version=v1", version="v1")
    return project


def test_setup_has_deployed(door: Project) -> None:
    """`pyinfra inventory.py deploys/setup.py` must bring a version into service on fresh hosts."""
    assert {host: door.served(host) for host in WEB} == dict.fromkeys(WEB, "v1")
    assert not door.lock_exists()


def newest(door: Project) -> dict[str, Any]:
    """The newest row of the history, of which there must be one for each run."""
    rows = json.loads(door.kp("history", "--json").stdout)
    assert len({row["at"] for row in rows}) == len(rows)
    row: dict[str, Any] = rows[0]
    return row


def test_a_deploy_is_one_row_of_the_history(door: Project) -> None:
    """It must have its command, version, duration, result, changes and hosts, as one of `kp` has."""
    row = newest(door)
    assert {name: row[name] for name in ("command", "version", "result", "tool", "where")} == {
        "command": "setup",
        "version": "v1",
        "result": "finished",
        "tool": "kp",
        "where": "",
    }
    assert row["seconds"] > 0
    assert "created" in row["summary"]
    assert set(row["hosts"]) == {door.lab.hosts[host] for host in (*WEB, "job1")}


def test_dry_changes_nothing(door: Project) -> None:
    """`--dry` must name the changes and make none."""
    dry = door.pyinfra("inventory.py", "deploys/deploy.py", "--dry", "--data", "version=v2", version="v2")
    assert "version v1 → v2" in dry.stderr
    assert door.running(WEB) == {"web1": ["shop-web-v1"], "web2": ["shop-web-v1"]}


def test_a_version_like_a_number_survives(door: Project) -> None:
    """A commit such as 12e5678 must not become a number, no request be lost, and the last line must be that of `kp`."""
    with Load(tuple(door.url(host) for host in WEB), rate=100) as load:
        done = door.pyinfra("-y", "inventory.py", "deploys/deploy.py", "--data", "version=12e5678", version="12e5678")
    assert load.report.failed == 0, load.report.as_json()
    urls = " ".join(f"http://{door.lab.hosts[host]}" for host in WEB)
    last = [line for line in done.stderr.splitlines() if "shop 12e5678" in line][-1]
    assert last.strip() == f"shop 12e5678 serves at {urls}"
    assert door.running(WEB) == {"web1": ["shop-web-12e5678"], "web2": ["shop-web-12e5678"]}


def test_kp_finds_nothing_to_do_after_pyinfra(door: Project) -> None:
    """What one door deployed, the other must recognise."""
    assert door.kp("plan", version="12e5678").stdout == "shop 12e5678: nothing to change.\n"


def test_a_limited_rollback_touches_only_that_host(door: Project) -> None:
    """`--limit` must leave the other hosts alone, and still take the lock on the primary host."""
    job = door.lab.hosts["job1"]
    done = door.pyinfra("-y", "inventory.py", "deploys/rollback.py", "--limit", job, "--data", "version=v1")
    assert "shop v1 runs; no container behind the proxy was started, so the proxy was not asked" in done.stderr
    assert door.running(("web1", "job1")) == {"web1": ["shop-web-12e5678"], "job1": ["shop-job-v1"]}
    assert not door.lock_exists()
    door.pyinfra("-y", "inventory.py", "deploys/deploy.py", "--data", "version=12e5678", version="12e5678")


def test_a_failing_version_stops_before_the_gate(door: Project) -> None:
    """A host that fails must stop the rest: old version everywhere, exit code 1, lock free, no lost request."""
    door.set_env(APP_NEVER_HEALTHY="1")
    with Load(tuple(door.url(host) for host in WEB), rate=100) as load:
        door.pyinfra("-y", "inventory.py", "deploys/deploy.py", "--data", "version=sick", version="sick", code=1)
    door.set_env(COLOR="blue")
    assert load.report.failed == 0, load.report.as_json()
    assert door.running(("web1", "web2", "job1")) == {
        "web1": ["shop-web-12e5678"],
        "web2": ["shop-web-12e5678"],
        "job1": ["shop-job-12e5678"],
    }
    assert not door.lock_exists()
    row = newest(door)
    assert (row["version"], row["result"], row["tool"]) == ("sick", "failed", "kp")
    assert row["where"].startswith("boot on ")
    assert "to replace" in row["summary"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_releases_the_lock(door: Project, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM must end with 128 + n, the old version serving and the lock free."""
    door.set_env(APP_START_DELAY="6")
    process = door.start("pyinfra", "-y", "inventory.py", "deploys/deploy.py", "--data", "version=slow", version="slow")
    try:
        eventually(lambda: "shop-web-slow" in door.containers("web1"), what="the new container to start")
        time.sleep(0.5)
        os.kill(process.pid, number)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    door.set_env(COLOR="blue")
    assert process.returncode == 128 + number, said
    assert (newest(door)["version"], newest(door)["result"]) == ("slow", "interrupted")
    assert door.running(WEB) == {"web1": ["shop-web-12e5678"], "web2": ["shop-web-12e5678"]}
    assert not door.lock_exists()
