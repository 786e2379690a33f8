"""Hooks under pyinfra's own command line: once, on this machine, when it executes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kamal_pyinfra.config import load_config
from kamal_pyinfra.operations import hook
from tests.operations.conftest import CONFIG, HOSTS, OTHER, PRIMARY, MakeFleet, deployed
from tests.operations.fleet import changed, failed
from tests.shell.builders import SECRETS

HOOK = '#!/bin/sh\necho "$KAMAL_COMMAND ${KAMAL_RUNTIME-}" >> called\necho said\n'


@pytest.fixture
def project(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The run of a project with hooks; the path of what they write."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal/hooks").mkdir(parents=True)
    for name, end in (("pre-deploy", 0), ("post-deploy", 0), ("docker-setup", 7)):
        path = tmp_path / ".kamal/hooks" / name
        path.write_text(f"{HOOK}exit {end}\n")
        path.chmod(0o755)
    return replace(run, config=load_config("deploy.yml", environ=SECRETS)), tmp_path / "called"


def test_a_hook_is_called_once_for_all_hosts(fleet: MakeFleet, project) -> None:
    run, called = project
    hosts = fleet(deployed, run)
    state = hosts.does(hook.called, hook="pre-deploy")
    assert called.read_text() == "deploy \n"
    assert (changed(state), failed(state)) == ([PRIMARY], [])
    assert [hosts.commands(name) for name in HOSTS] == [[], []]
    assert any("said" in line for line in hosts.printed)


def test_without_the_primary_host_it_is_called_all_the_same(fleet: MakeFleet, project) -> None:
    run, called = project
    fleet(deployed, run).does(hook.called, hosts=[OTHER], hook="post-deploy")
    assert called.read_text() == "deploy 0\n"


def test_a_failing_hook_fails_the_host_and_says_why(fleet: MakeFleet, project) -> None:
    run, _ = project
    hosts = fleet(deployed, run)
    assert failed(hosts.does(hook.called, hook="docker-setup")) == [PRIMARY]
    assert any("Hook `docker-setup` failed with exit code 7 (.kamal/hooks/docker-setup)" in x for x in hosts.printed)
