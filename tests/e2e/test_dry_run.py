"""Every command with `--dry-run` on a fleet on which it would have something to do."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.test_dry_run import has_dry_run
from tests.conformance.test_failures import ON_HOSTS
from tests.e2e.project import CHECKOUT, Project
from tests.lab.lab import Lab
from tests.test_docs import COMMANDS

HOSTS = ("web1", "web2", "job1")
STATE = """docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | sort
docker image ls --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort
find .kamal -printf '%p %m %T@\\n' | sort; find .kamal -type f -exec sha256sum {} + | sort
cat ~/.docker/config.json"""


def path_of(line: str) -> str:
    """The command of a line."""
    words = line.split()
    return next(path for end in (2, 1) if (path := "kp " + " ".join(words[:end])) in COMMANDS and end <= len(words))


NEEDS_ANOTHER_FLEET = {"rollback v0"}
"""There is no such version here."""
LINES = [line for line in ON_HOSTS if has_dry_run(COMMANDS[path_of(line)]) and line not in NEEDS_ANOTHER_FLEET]
LINES += ["rollback v1"]


@pytest.fixture
def fleet(empty_hosts: Lab, project: Project) -> Project:
    """Two versions, an accessory, a change that was not deployed yet, and a retained container."""
    accessory = {"image": empty_hosts.base_image, "host": empty_hosts.hosts["web1"], "cmd": "sleep 3600"}
    project.change(lambda config: config.update(accessories={"db": accessory | {"options": {"init": True}}}))
    for version in ("v1", "v2"):
        project.kp("setup", version=version)
    project.set_env(COLOR="red")
    project.env["TOP_SECRET"] = "another"
    (project.folder / ".env.erb").write_text("A=1\n")
    return project


def test_a_dry_run_of_any_command_says_something_and_changes_nothing(fleet: Project) -> None:
    """No host, and no file of the project, may differ afterwards; no hook may run, no lock stay."""
    hook = fleet.folder / ".kamal/hooks/pre-deploy"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\ntouch hook-was-called\n")
    hook.chmod(0o755)
    before = {host: fleet.lab.ssh(host, STATE).stdout for host in HOSTS}
    files = sorted(path for path in fleet.folder.rglob("*") if path.is_file())
    fleet.env["PYTHONPATH"] = str(CHECKOUT)
    lines = [f"{line} --dry-run" for line in LINES]
    done = fleet.execute([sys.executable, "-m", "tests.conformance.every_command", json.dumps(lines)], version="v2")
    ended: dict[str, tuple[int, str]] = json.loads(done.stdout.splitlines()[-1])
    assert {line: said for line, (code, said) in ended.items() if code != 0 or not said.strip()} == {}
    assert {host: fleet.lab.ssh(host, STATE).stdout for host in HOSTS} == before
    assert sorted(path for path in fleet.folder.rglob("*") if path.is_file()) == files
    assert not fleet.lock_exists()
    assert "replace" in ended["deploy -P --dry-run"][1]
    assert "shop-web-v1" in ended["rollback v1 --dry-run"][1]
    assert "shop-web-v2" in ended["app stop --dry-run"][1]
