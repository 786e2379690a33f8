"""Hooks around setup, deploy, redeploy and rollback, through both doors."""

from __future__ import annotations

import os
import re
import secrets
import signal

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab
from tests.processes import is_running, until

V1, V2, V3 = (f"{number}{secrets.token_hex(3)}" for number in (1, 2, 3))
"""Images stay on the hosts between tests; only a version that is new here is built."""
HOOKS = ("pre-connect", "pre-build", "pre-deploy", "post-deploy", "docker-setup")
RECORD = r"""#!/bin/sh
name=${0##*/}
locked=$(ssh $SSH_OPTIONS root@"$PRIMARY" 'test -d .kamal/locks/shop && echo locked || echo free')
runs=$(ssh $SSH_OPTIONS root@"$PRIMARY" "docker ps --filter label=role=web --format '{{.Names}}' 2>/dev/null")
command="$KAMAL_COMMAND${KAMAL_SUBCOMMAND+ $KAMAL_SUBCOMMAND} $KAMAL_SERVICE_VERSION"
more="${KAMAL_RUNTIME+ runtime}${KAMAL_ROLE+ role $KAMAL_ROLE}"
echo "$name: $command$more on $KAMAL_HOSTS ($locked, ${runs:-nothing})" >> hooks.log
echo "$name was here"
test ! -e "fail-$name"
"""
HANG = """#!/bin/sh
(trap "" TERM; exec sleep 300) &
echo $$ $! > pids.new && mv pids.new pids
wait
"""


@pytest.fixture(scope="module")
def hooked(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    lab = empty_hosts
    servers = {"web": [lab.hosts["web1"]], "job": {"hosts": [lab.hosts["job1"]], "cmd": "python app.py worker"}}
    project = Project.create(lab, tmp_path_factory.mktemp("project"), servers=servers, readiness_delay=0)
    project.change(lambda config: config.pop("asset_path"))
    options = f"-i {lab.key} -o UserKnownHostsFile={lab.known_hosts} -o StrictHostKeyChecking=yes -o LogLevel=ERROR"
    project.env |= {"PRIMARY": lab.hosts["web1"], "SSH_OPTIONS": options}
    for name in HOOKS:
        write(project, name, RECORD)
    return project


def write(project: Project, name: str, body: str) -> None:
    path = project.folder / ".kamal/hooks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)
    path.chmod(0o755)


def called(project: Project) -> str:
    """What hooks wrote since it was asked last, with the lab's names for its hosts."""
    log = project.folder / "hooks.log"
    text = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    for name in ("web1", "job1"):
        text = re.sub(rf"{re.escape(project.lab.hosts[name])}\b", name, text)
    return text


def test_the_order_through_kp(hooked: Project) -> None:
    """Each command must call its hooks in Kamal's order, under the lock or not, and none when nothing changes."""
    everywhere = "on web1,job1"
    hooked.kp("setup", version=V1)
    assert called(hooked) == (
        f"pre-connect: setup shop@{V1} {everywhere} (free, nothing)\n"
        f"pre-build: setup shop@{V1} {everywhere} (free, nothing)\n"
        f"docker-setup: setup shop@{V1} {everywhere} (locked, nothing)\n"
        f"pre-deploy: setup shop@{V1} {everywhere} (locked, nothing)\n"
        f"post-deploy: setup shop@{V1} runtime {everywhere} (free, shop-web-{V1})\n"
    )
    shown = hooked.kp("deploy", "-v", version=V2).stdout
    assert called(hooked) == (
        f"pre-connect: deploy shop@{V2} {everywhere} (free, shop-web-{V1})\n"
        f"pre-build: deploy shop@{V2} {everywhere} (free, shop-web-{V1})\n"
        f"pre-deploy: deploy shop@{V2} {everywhere} (locked, shop-web-{V1})\n"
        f"post-deploy: deploy shop@{V2} runtime {everywhere} (free, shop-web-{V2})\n"
    )
    for name in ("pre-connect", "pre-build", "pre-deploy", "post-deploy"):
        assert f"{name} was here" in shown
    hooked.kp("deploy", version=V2)
    hooked.kp("deploy", "--dry-run", version=V3)
    hooked.kp("app", "version", "-r", "job", version=V2)
    assert called(hooked) == (
        f"pre-connect: deploy shop@{V2} {everywhere} (free, shop-web-{V2})\n"
        f"pre-connect: deploy shop@{V3} {everywhere} (free, shop-web-{V2})\n"
        f"pre-connect: app version shop@{V2} role job on job1 (free, shop-web-{V2})\n"
    )
    hooked.kp("rollback", V1, version=V2)
    hooked.kp("redeploy", "-p", version=V2)
    assert called(hooked) == (
        f"pre-connect: rollback shop@{V1} {everywhere} (free, shop-web-{V2})\n"
        f"pre-deploy: rollback shop@{V1} {everywhere} (locked, shop-web-{V2})\n"
        f"post-deploy: rollback shop@{V1} runtime {everywhere} (free, shop-web-{V1})\n"
        f"pre-connect: redeploy shop@{V2} on web1 (free, shop-web-{V1})\n"
        f"pre-deploy: redeploy shop@{V2} on web1 (locked, shop-web-{V1})\n"
        f"post-deploy: redeploy shop@{V2} runtime on web1 (free, shop-web-{V2})\n"
    )


def test_the_order_through_pyinfra(hooked: Project) -> None:
    """The scripts must call the same hooks, once and not per host; `--dry` only what comes before connecting."""
    everywhere = "on web1,job1"
    hooked.pyinfra("inventory.py", "deploys/deploy.py", "--dry", "--data", f"version={V3}", version=V3)
    hooked.pyinfra("-y", "inventory.py", "deploys/setup.py", "--data", f"version={V3}", version=V3)
    hooked.pyinfra("-y", "inventory.py", "deploys/deploy.py", "--data", f"version={V3}", version=V3)
    assert called(hooked) == (
        f"pre-connect: deploy shop@{V3} {everywhere} (free, shop-web-{V2})\n"
        f"pre-connect: setup shop@{V3} {everywhere} (free, shop-web-{V2})\n"
        f"pre-build: setup shop@{V3} {everywhere} (free, shop-web-{V2})\n"
        f"docker-setup: setup shop@{V3} {everywhere} (locked, shop-web-{V2})\n"
        f"pre-deploy: setup shop@{V3} {everywhere} (locked, shop-web-{V2})\n"
        f"post-deploy: setup shop@{V3} runtime {everywhere} (free, shop-web-{V3})\n"
        f"pre-connect: deploy shop@{V3} {everywhere} (free, shop-web-{V3})\n"
    )
    job = hooked.lab.hosts["job1"]
    hooked.pyinfra("-y", "inventory.py", "deploys/rollback.py", "--limit", job, "--data", f"version={V2}", version=V3)
    assert called(hooked).splitlines()[1:] == [
        f"pre-deploy: rollback shop@{V2} on job1 (locked, shop-web-{V3})",
        f"post-deploy: rollback shop@{V2} runtime on job1 (free, shop-web-{V3})",
    ]


@pytest.mark.parametrize(("door", "old", "new"), [("kp", V3, V2), ("pyinfra", V2, V3)], ids=["kp", "pyinfra"])
def test_a_failing_hook_stops_the_run_and_frees_the_lock(hooked: Project, door: str, old: str, new: str) -> None:
    """Before the deploy a failing hook must leave the old version, after it the new one; exit 1, lock free."""
    for hook, version in (("pre-deploy", old), ("post-deploy", new)):
        marker = hooked.folder / f"fail-{hook}"
        marker.touch()
        if door == "kp":
            said = hooked.kp("deploy", version=new, code=1).stderr
        else:
            said = hooked.pyinfra("-y", "inventory.py", "deploys/deploy.py", version=new, code=1).stderr
        marker.unlink()
        assert f"Hook `{hook}` failed with exit code 1 (.kamal/hooks/{hook})\n  {hook} was here\n" in said
        assert (f"The deploy itself is done: {new} serves." in said) == (hook == "post-deploy")
        assert hooked.running(["web1"]) == {"web1": [f"shop-web-{version}"]}
        assert not hooked.lock_exists()


@pytest.mark.parametrize("door", ["kp", "pyinfra"])
def test_an_interrupted_hook_ends_and_the_lock_is_free(hooked: Project, door: str) -> None:
    """SIGTERM while pre-deploy hangs under the lock must end it with its children, and free the lock."""
    before = hooked.running(["web1"])
    write(hooked, "pre-deploy", HANG)
    commands = {"kp": ("kp", "deploy"), "pyinfra": ("pyinfra", "-y", "inventory.py", "deploys/deploy.py")}
    process = hooked.start(*commands[door], version=V1)
    pids = hooked.folder / "pids"
    try:
        until(pids.exists)
        assert hooked.lock_exists()
        os.kill(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        write(hooked, "pre-deploy", RECORD)
    assert process.returncode == 143, said
    assert [pid for pid in pids.read_text().split() if is_running(pid)] == []
    pids.unlink()
    assert not hooked.lock_exists()
    assert hooked.running(["web1"]) == before
