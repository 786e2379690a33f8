"""The cord's folder as a hostile container leaves it: the host's own files stay as they are."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kamal_pyinfra.shell.script import with_functions

APPLETS = "".join(f'{name}() {{ busybox {name} "$@"; }}; ' for name in ("mv", "rm", "mkdir", "chmod"))
SHELLS = ((["dash"], ""), (["bash"], ""), (["busybox", "sh"], APPLETS))
"""Each with what makes the programs its own, as on Alpine."""
VICTIM = "the host's own\n"
PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file": lambda path, host: path.symlink_to(host / "passwd"),
    "a dangling link": lambda path, host: path.symlink_to(host / "absent"),
    "a link to a folder": lambda path, host: path.symlink_to(host / "cron.d"),
    "a folder": lambda path, _: path.mkdir(),
    "a full folder": lambda path, _: (path / "x").mkdir(parents=True),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a hard link to its own": lambda path, _: (path.parent / "own").hardlink_to(path) if path.exists() else None,
}


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """What a container must not reach."""
    etc = tmp_path / "etc"
    (etc / "cron.d").mkdir(parents=True)
    (etc / "passwd").write_text(VICTIM)
    return etc


@pytest.fixture
def cord(tmp_path: Path) -> Path:
    """A cord's folder below a home."""
    folder = tmp_path / "home/.kamal/cords/shop-web-1"
    folder.mkdir(parents=True)
    return folder


def run(shell: list[str], script: str, home: Path, *, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """The script as a host runs it, bounded in time: what waits for a reader of a pipe fails."""
    command = [*shell, "-c", with_functions(script)]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60, check=False, umask=umask)


def contents(etc: Path) -> dict[str, str]:
    return {str(path.relative_to(etc)): path.read_text() for path in sorted(etc.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("shell", "tools"), SHELLS, ids=["dash", "bash", "busybox"])
@pytest.mark.parametrize("place", ["cord", "standby"])
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_no_file_of_the_host_is_written_through_what_a_container_planted(
    shell: list[str], tools: str, place: str, plant: Callable[[Path, Path], None], cord: Path, etc: Path
) -> None:
    """Tied, standing by, tied again and cut: each must leave the host's files as they were, and must not wait."""
    if place == "standby":
        (cord / "cord").touch()
    plant(cord / place, etc)
    for script in (f"stand_by {cord}", f"tie_cord {cord}", f"stand_by {cord}", f"tie_cord {cord}"):
        assert run(shell, tools + script, cord.parent).returncode == 0
        assert contents(etc) == {"passwd": VICTIM}
    assert (cord / "cord").exists()
    assert run(shell, tools + f"cut_cord {cord}", cord.parent).returncode == 0
    assert contents(etc) == {"passwd": VICTIM}
    is_folder = (cord / place).is_dir()
    assert (cord / "cord").exists() == (is_folder and place == "cord")
    assert [path.name for path in cord.parent.iterdir()] == [cord.name]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_a_container_of_any_user_can_look_at_its_cord(umask: int, tmp_path: Path) -> None:
    """A process that is not root must reach its cord and the note beside it, whatever the host's umask."""
    folder = tmp_path / "cords/shop-web-1"
    for script in (f"tie_cord {folder}", f"stand_by {folder}"):
        assert run(["sh"], script, tmp_path, umask=umask).returncode == 0
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "cord", folder / "standby")]
    assert [f"{mode:o}" for mode in modes] == ["755", "644", "644"]


def test_a_folder_that_was_closed_is_opened_when_its_container_starts_again(tmp_path: Path) -> None:
    """A retained container has the folder that a run under a stricter umask made."""
    folder = tmp_path / "shop-web-1"
    folder.mkdir(mode=0o750)
    assert run(["sh"], f"tie_cord {folder}", tmp_path, umask=0o077).returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_every_shell_of_these_tests_is_there() -> None:
    assert [shell[0] for shell, _ in SHELLS if shutil.which(shell[0]) is None] == []
