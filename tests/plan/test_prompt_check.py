"""The health check that tries again by itself, run by real shells as Docker would in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.plan import desired as prompt_check
from kamal_pyinfra.plan.desired import retrying_command
from tests.e2e.project import eventually

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
        [*shell, "-c", retrying_command(check)], cwd=folder, capture_output=True, text=True, check=False, timeout=30
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
    ended = probe(shell, tied, "./attempt 1 || exit 1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
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


@pytest.fixture
def standing_by(tied: Path) -> Path:
    """The same, with a note beside the cord that holds for a minute."""
    return stand_by(tied, seconds=60)


def stand_by(folder: Path, seconds: int) -> Path:
    (folder / "cord/standby").write_text(f"{int(time.time()) + seconds}\n")
    return folder


def during_a_probe(shell: list[str], folder: Path, command: str, act: str) -> tuple[int, int]:
    """Do something while a probe of a healthy app stands by, which then asks a second time."""
    script = retrying_command(Healthcheck(cmd=command, cord=str(folder / "cord")))
    with subprocess.Popen([*shell, "-c", script], cwd=folder, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: (folder / "calls").exists() and calls(folder) == 2)
        assert process.poll() is None
        subprocess.run(act, shell=True, cwd=folder, check=True)
        return process.wait(timeout=30), calls(folder)


def test_a_probe_that_stands_by_sees_at_once_that_the_cord_is_cut(shell: list[str], standing_by: Path) -> None:
    assert during_a_probe(shell, standing_by, "./attempt 1 || exit 1", "rm cord/cord cord/standby") == (1, 2)


def test_a_probe_that_need_not_stand_by_any_more_ends_well(shell: list[str], standing_by: Path) -> None:
    assert during_a_probe(shell, standing_by, "./attempt 1 || exit 1", "rm cord/standby") == (0, 2)


def test_a_probe_that_stands_by_ends_by_itself(
    shell: list[str], standing_by: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prompt_check.STANDBY_LOOKS * prompt_check.STANDBY_PAUSE <= 10  # seconds; Docker ends a probe after 30
    monkeypatch.setattr(prompt_check, "STANDBY_LOOKS", 20)
    assert probe(shell, standing_by, "./attempt 1 || exit 1").returncode == 0
    assert calls(standing_by) == 1 + 20 / prompt_check.LOOKS_BETWEEN_CHECKS


def test_an_app_that_fails_meanwhile_is_left_to_the_next_probe(shell: list[str], standing_by: Path) -> None:
    """Which tries again as always; this one had seen it well."""
    only_once = "./attempt 1; [ $(wc -l < calls) -eq 1 ] || exit 1"
    assert probe(shell, standing_by, only_once).returncode == 0
    assert calls(standing_by) == 2


@pytest.mark.parametrize("note", ["1", "", "soon", None], ids=["of the past", "empty", "no time", "unreadable"])
def test_a_note_that_does_not_hold_changes_nothing(shell: list[str], tied: Path, note: str | None) -> None:
    (tied / "cord/standby").mkdir() if note is None else (tied / "cord/standby").write_text(f"{note}\n")
    ended = probe(shell, tied, "./attempt 1 || exit 1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert calls(tied) == 1


@pytest.mark.parametrize("lacks", ["date", "sleep"])
def test_an_image_that_lacks_a_program_has_short_probes(shell: list[str], standing_by: Path, lacks: str) -> None:
    nothing = standing_by / lacks
    nothing.write_text("#!/bin/sh\nexit 127\n")
    nothing.chmod(0o755)
    script = retrying_command(Healthcheck(cmd="./attempt 1 || exit 1", cord=str(standing_by / "cord")))
    here = f"{standing_by}{os.pathsep}{os.environ['PATH']}"
    # busybox has both built in, and would not look.
    shadowed = script.replace(f"{lacks} ", f"./{lacks} ") if shell[0] == "busybox" else script
    ended = subprocess.run([*shell, "-c", shadowed], cwd=standing_by, env={"PATH": here}, timeout=30, check=False)
    assert (ended.returncode, calls(standing_by)) == (0, 1)


def test_a_probe_does_not_stand_by_where_docker_may_end_it_sooner() -> None:
    assert "standby" not in retrying_command(Healthcheck(), stands_by=False)


def test_docker_counts_where_tries_would_outlast_its_patience() -> None:
    assert retrying_command(Healthcheck(interval="5s")) != ""
    assert retrying_command(Healthcheck(interval="6s")) == ""
