"""A host on which podman answers to `docker`, as podman-docker 5.4.2 does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.project import Project

STUB = """#!/bin/sh
[ -e /etc/containers/nodocker ] || \\
echo "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg." >&2
case "$*" in
  --version) echo "podman version 5.4.2" ;;
  *Components*) echo "Error: template: version:1:35: can't evaluate field Components" >&2; exit 125 ;;
  *) exit 0 ;;
esac
"""


@pytest.fixture
def host(project: Project) -> Iterator[str]:
    """A host with a stand-in before Docker on the user's path."""
    project.lab.ssh("web1", "cat > /usr/local/bin/docker && chmod 755 /usr/local/bin/docker", input=STUB)
    try:
        yield project.lab.hosts["web1"]
    finally:
        project.lab.ssh("web1", "rm /usr/local/bin/docker")


def test_podman_is_named_by_every_command_before_anything_changes(project: Project, host: str) -> None:
    """One line must say that podman stands in for docker, and no host may be touched."""
    line = f"{host}: podman stands in for docker; kp needs Docker: remove podman-docker there"
    for command in (("plan",), ("deploy",), ("setup", "--skip-push"), ("server", "bootstrap")):
        ended = project.kp(*command, code=1)
        found = [text for text in ended.stderr.splitlines() if "stands in for docker" in text]
        assert len(found) == 1
        assert found[0].startswith(line)
    assert "podman stands in for docker; kp needs Docker" in project.kp("doctor", code=1).stdout
    assert project.lab.ssh("web2", "ls -A .kamal", check=False).returncode == 2
