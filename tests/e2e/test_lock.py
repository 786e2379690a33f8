"""Only one deploy at a time."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.project import Project, eventually

WAIT = 400
WATCHER = """
last=
while [ -e watch-lock ]; do
  now=$(cat .kamal/locks/shop/details 2> /dev/null)
  if [ "$now" != "$last" ]; then echo "$now" | base64 -d 2> /dev/null | sed -n 's/^Holder: //p' >> held; last=$now; fi
  sleep 0.02
done
"""
HOOK = """#!/bin/sh
echo "begin $$ $(date +%s%N)" >> hooks.log
sleep 0.1
echo "end $$ $(date +%s%N)" >> hooks.log
"""


def test_a_held_lock_stops_the_deploy_before_any_change(project: Project) -> None:
    """With the lock held on a fresh host, a deploy must exit 4, show who holds it, and change nothing."""
    assert project.lab.ssh("web1", "ls -A .kamal", check=False).returncode != 0
    assert project.kp("lock", "status").stdout == "There is no deploy lock\n"
    project.kp("lock", "release")
    project.kp("lock", "acquire", "-m", "database upgrade", version="v1")
    assert "database upgrade" in project.kp("lock", "acquire", "-m", "me too", code=4).stderr
    refused = project.kp("setup", version="v1", code=4)
    assert "database upgrade" in refused.stderr
    assert "kp lock release" in refused.stderr
    assert project.containers("web1") == {}
    assert "database upgrade" in project.kp("lock", "status").stdout
    project.kp("lock", "release")
    assert project.kp("lock", "status").stdout == "There is no deploy lock\n"


def test_a_lock_of_kamal_counts(project: Project) -> None:
    """A lock in Kamal's format must stop kp, and show its text."""
    details = "TG9ja2VkIGJ5OiBBbm4gYXQgMjAyNC0wNS0wMVQxMDowMDowMFoKVmVyc2lvbjogYWJjCk1lc3NhZ2U6IGZpeGluZw=="
    project.lab.ssh("web1", f"mkdir -p .kamal/locks/shop && echo {details} > .kamal/locks/shop/details")
    refused = project.kp("setup", version="v1", code=4)
    assert "Ann" in refused.stderr
    assert "fixing" in refused.stderr
    assert "--force" in project.kp("lock", "release", code=4).stderr
    assert project.lock_exists()
    project.kp("lock", "release", "--force")
    assert not project.lock_exists()


def test_a_lock_without_details_can_be_released(project: Project) -> None:
    """A lock whose holder died before writing its name must be shown and released like any other."""
    project.lab.ssh("web1", "mkdir -p .kamal/locks/shop")
    assert "unknown" in project.kp("setup", version="v1", code=4).stderr
    project.kp("lock", "release")
    assert not project.lock_exists()


@pytest.mark.parametrize("runs", [4, 20])
def test_of_deploys_at_once_one_works_at_a_time_and_all_end(project: Project, runs: int) -> None:
    """Runs with `--lock-wait` must each get the lock once, never two together, and all end well."""
    project.kp("setup", version="v1")
    hook = project.folder / ".kamal/hooks/docker-setup"
    hook.parent.mkdir(parents=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    bootstrap = ("server", "bootstrap", "--hosts", project.config["servers"]["job"]["hosts"][0])
    project.lab.ssh("web1", "cat > watcher; rm -f held; touch watch-lock", input=WATCHER)
    project.lab.ssh("web1", "nohup sh watcher > /dev/null 2>&1 < /dev/null &")
    with ThreadPoolExecutor(runs) as pool:
        ended = list(
            pool.map(
                lambda _: project.kp(*bootstrap, f"--lock-wait={WAIT}", code=None, seconds=WAIT + 100), range(runs)
            )
        )
    project.lab.ssh("web1", "rm watch-lock")
    assert [done.returncode for done in ended] == [0] * runs, [done.stderr for done in ended if done.returncode]
    lines = (project.folder / "hooks.log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["begin", "end"] * runs
    assert all(lines[number].split()[1] == lines[number + 1].split()[1] for number in range(0, 2 * runs, 2))
    holders = project.lab.ssh("web1", "cat held").stdout.splitlines()
    assert holders
    assert len(set(holders)) == len(holders), "nobody gets the lock back while another works"
    assert not project.lock_exists()


def test_a_deploy_and_a_rollback_meet(project: Project) -> None:
    """A rollback during a deploy must say who holds the lock and exit 4; one that waits must have its turn."""
    project.kp("setup", version="v1")
    project.kp("deploy", version="v2")
    hook = project.folder / ".kamal/hooks/pre-deploy"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nfor _ in $(seq 600); do [ ! -e go ] || exit 0; sleep 0.1; done\n")
    hook.chmod(0o755)
    deploying = project.start("kp", "deploy", version="v3")
    eventually(project.lock_exists, seconds=60, what="the deploy's lock")
    refused = project.kp("rollback", "v1", code=4).stderr
    assert re.search(rf"^Process: {deploying.pid} on ", refused, re.MULTILINE), refused
    assert "\nCommand: deploy\nLease: " in refused
    assert "--lock-wait" in refused
    assert "Lease: " in project.kp("lock", "status").stdout
    assert "in use" in project.kp("lock", "release", code=4).stderr
    waiting = project.start("kp", "rollback", "v1", "--lock-wait")
    said = next((line for line in waiting.stdout or () if "waiting up to" in line), "")
    assert "`deploy`" in said
    (project.folder / "go").touch()
    assert "Finished" in deploying.communicate(timeout=90)[0]
    assert "Finished" in waiting.communicate(timeout=90)[0]
    assert project.served("web1") == "v1"
    assert not project.lock_exists()


def test_a_stale_lock_is_shown_and_taken_over_on_request(project: Project) -> None:
    """A lock whose holder on another machine is gone must stop a run until it is stale and `--lock-wait` is given."""
    text = "Locked by: Bob at T\nVersion: v0\nMessage: Automatic deploy lock\nHolder: ci-7 99 x\nCommand: deploy"
    details = base64.b64encode(text.encode()).decode()
    lock = ".kamal/locks/shop"
    project.lab.ssh(
        "web1", f"mkdir -p {lock} && echo {details} > {lock}/details && echo $(($(date +%s) - 9)) > {lock}/lease"
    )
    assert "stale" in project.kp("lock", "status").stdout
    refused = project.kp("setup", version="v4", code=4).stderr
    assert "Process: 99 on ci-7" in refused
    assert "--lock-wait" in refused
    project.lab.ssh("web1", f"echo $(($(date +%s) + 600)) > {lock}/lease")
    assert "is held by Bob" in project.kp("lock", "release", code=4).stderr
    project.lab.ssh("web1", f"echo $(($(date +%s) + 3)) > {lock}/lease")
    project.kp("setup", "--lock-wait", version="v4")
    assert project.served("web1") == "v4"
    assert not project.lock_exists()
