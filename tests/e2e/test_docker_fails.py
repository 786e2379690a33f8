"""Every command while Docker does not work on a host that runs the app."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.conformance.test_failures import ON_HOSTS
from tests.e2e.project import CHECKOUT, Project
from tests.lab.lab import Lab

HOST = "web1"
SAYS = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
BREAK = f"""mv /usr/bin/docker /usr/bin/docker.aside
printf '%s\\n' '#!/bin/sh' 'echo "{SAYS}" >&2; exit 1' > /usr/bin/docker; chmod 755 /usr/bin/docker"""
MEND = "mv /usr/bin/docker.aside /usr/bin/docker"
WITHOUT_DOCKER = {
    "accessory directories db",
    "accessory upload db",
    "audit",
    "env delete",
    "env push",
    "envify",
    "history",
    "lock acquire -m why",
    "lock release",
    "lock status",
    "registry logout -L",
    "server exec true",
}
"""They ask nothing of Docker, and work."""
START_IT = {"setup -P", "server bootstrap"}
"""They try for half a minute to start it, and tests/e2e/test_fresh_host.py is about them."""


@pytest.fixture
def broken(empty_hosts: Lab, project: Project) -> Iterator[Project]:
    """One host with app, proxy and accessory, on which `docker` fails."""
    host = empty_hosts.hosts[HOST]
    accessory = {"image": empty_hosts.base_image, "host": host, "cmd": "sleep 3600", "options": {"init": True}}
    project.change(lambda config: config.update(servers={"web": [host], "job": [host]}, accessories={"db": accessory}))
    project.kp("setup", version="v1")
    (project.folder / ".env.erb").write_text("A=1\n")
    empty_hosts.ssh(HOST, BREAK)
    try:
        yield project
    finally:
        empty_hosts.ssh(HOST, f"! test -e /usr/bin/docker.aside || {MEND}")


def test_no_command_ends_well_or_changes_anything_while_docker_fails(broken: Project) -> None:
    """Each command must fail and say what Docker said, where; after that the app must serve and be as planned."""
    lines = [line for line in ON_HOSTS if line not in WITHOUT_DOCKER | START_IT]
    command = [sys.executable, "-m", "tests.conformance.every_command", json.dumps(lines)]
    broken.env["PYTHONPATH"] = str(CHECKOUT)
    done = broken.execute(command, version="v1")
    ended: dict[str, tuple[int, str]] = json.loads(done.stdout.splitlines()[-1])
    assert sorted(ended) == sorted(lines)
    well = {line: said for line, (code, said) in ended.items() if code != 1 or "Traceback" in said}
    assert well == {}
    silent = {line: said for line, (_, said) in ended.items() if SAYS not in said or broken.lab.hosts[HOST] not in said}
    assert silent == {}
    assert broken.served(HOST) == "v1"
    broken.lab.ssh(HOST, MEND)
    assert broken.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    assert not broken.lock_exists()
