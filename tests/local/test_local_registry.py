"""Login and logout of this machine's Docker: the password on standard input, a failure in one clear message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kamal_pyinfra.errors import RegistryFailed
from kamal_pyinfra.local import registry as local_registry
from tests.operations.conftest import CONFIG
from tests.shell.builders import golden_config, new_run

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/calls
/bin/cat >> {folder}/typed
[ ! -e {folder}/refusal ] || {{ /bin/cat {folder}/refusal >&2; exit 1; }}
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose `docker` notes what it is told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(folder=tmp_path))
    program.chmod(0o755)
    return tmp_path


def test_the_password_is_typed_and_is_no_argument(run, machine):
    local_registry.log_in(run)
    local_registry.log_out(run)
    assert (machine / "calls").read_text() == "login -u acme --password-stdin\nlogout\n"
    assert (machine / "typed").read_text() == "registry-hush"


def test_a_registry_of_ones_own_is_named(machine):
    run = new_run(golden_config(CONFIG.replace("registry: {", "registry: {server: r.example.com, ")), "v2")
    local_registry.log_in(run)
    local_registry.log_out(run)
    assert (machine / "calls").read_text() == "login r.example.com -u acme --password-stdin\nlogout r.example.com\n"


def test_a_refusal_is_shown_without_anything_that_a_terminal_obeys(run, machine):
    (machine / "refusal").write_text("Error: \x1b[31m401 Unauthorized\n")
    with pytest.raises(RegistryFailed) as failed:
        local_registry.log_in(replace(run, command="registry"))
    assert str(failed.value) == "this machine: `docker login` failed with exit code 1\n  Error: 401 Unauthorized"


def test_without_docker_the_way_around_it_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RegistryFailed, match="Docker is not installed on this machine; --skip-local leaves it out"):
        local_registry.log_out(run)
