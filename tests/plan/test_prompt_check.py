"""The health check that tries again by itself, run by real shells as Docker would in a container."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.plan.prompt_check import prompt_command

SHELLS = ("dash", "bash", "busybox sh")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """A shell that an image may have as its `sh`."""
    words: list[str] = request.param.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    return words


def probe(shell: list[str], folder: Path, command: str, interval: str = "1s") -> subprocess.CompletedProcess[str]:
    """One probe of a container that mounts `folder/cord` as its cord's folder."""
    check = Healthcheck(cmd=command, interval=interval, cord=str(folder / "cord"))
    return subprocess.run(
        [*shell, "-c", prompt_command(check)], cwd=folder, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    """A folder with a tied cord, and a command `./attempt` that counts its calls."""
    (tmp_path / "cord").mkdir()
    (tmp_path / "cord/cord").touch()
    attempt = tmp_path / "attempt"
    attempt.write_text("#!/bin/sh\necho call >> calls; echo said $(wc -l < calls); [ $(wc -l < calls) -ge $1 ]\n")
    attempt.chmod(0o755)
    return tmp_path


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text().splitlines())


def test_a_healthy_app_is_asked_once(shell: list[str], tied: Path) -> None:
    assert probe(shell, tied, "./attempt 1 || exit 1").returncode == 0
    assert calls(tied) == 1


def test_a_short_flap_is_no_failure(shell: list[str], tied: Path) -> None:
    assert probe(shell, tied, "./attempt 3 || exit 1").returncode == 0
    assert calls(tied) == 3


def test_an_app_that_stays_down_fails_with_what_it_said_last(shell: list[str], tied: Path) -> None:
    ended = probe(shell, tied, "./attempt 99 || exit 1", interval="500ms")
    assert (ended.returncode, ended.stdout) == (1, "said 5\n")


def test_a_cut_cord_fails_a_healthy_app_at_once_and_is_seen_between_two_tries(shell: list[str], tied: Path) -> None:
    assert probe(shell, tied, "rm cord/cord; ./attempt 3 || exit 1").returncode == 1
    assert calls(tied) == 1
    assert probe(shell, tied, "true").returncode == 1


def test_docker_counts_where_tries_would_outlast_its_patience() -> None:
    assert prompt_command(Healthcheck(interval="5s")) != ""
    assert prompt_command(Healthcheck(interval="6s")) == ""
