"""Asset folders as a hostile container or image leaves them: no file of the host is made or changed."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kamal_pyinfra.shell.script import functions, with_functions
from tests.shell.test_assets import share

SHELLS = (["dash"], ["busybox", "sh"])
AT_FDCWD, RENAME_EXCHANGE = -100, 2
OWN = {"cron.d/daily": "the host's own\n", "passwd": "the host's own\n"}
PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "a link to a folder": lambda path, etc: path.symlink_to(etc / "cron.d"),
    "a dangling link": lambda path, etc: path.symlink_to(etc / "new"),
    "a link to a file": lambda path, etc: path.symlink_to(etc / "passwd"),
    "a link to itself": lambda path, _: path.symlink_to(path),
    "a pipe": lambda path, _: os.mkfifo(path),
}


class Home:
    """A home with the extracted assets of two versions, of which the older one serves, and the host's own files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        self.etc = folder / "etc"
        for name, text in OWN.items():
            self.write(self.etc, name, text)
        for version in ("v1", "v2"):
            self.write(self.tree("extracted", version), f"packs/app-{version}", version)
            self.write(self.tree("extracted", version), "both", version)
        shutil.copytree(self.tree("extracted", "v1"), self.tree("volumes", "v1"))

    def tree(self, kind: str, version: str) -> Path:
        return self.folder / f".kamal/assets/{kind}/shop-web-{version}"

    @staticmethod
    def write(folder: Path, name: str, text: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def sync(self, shell: list[str], *, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Share the assets as a deploy of the newer version does."""
        return self.run(shell, share("shop-web-v1"), umask=umask)

    def run(self, shell: list[str], script: str, *, umask: int) -> subprocess.CompletedProcess[str]:
        """A script with the functions for assets, bounded in time: what waits for a reader of a pipe fails."""
        command = [*shell, "-c", with_functions(script)]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False, umask=umask
        )

    def own(self) -> dict[str, str]:
        """Every file outside the home."""
        return {
            str(path.relative_to(self.etc)): path.read_text() for path in sorted(self.etc.rglob("*")) if path.is_file()
        }


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", ["packs", "both", "packs/app-v2", "packs/new"])
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_nothing_is_written_through_what_a_container_planted(
    shell: list[str], name: str, plant: Callable[[Path, Path], None], home: Home
) -> None:
    """A link or pipe in the old container's folder must not lead a sync out of it, and must not stop a deploy."""
    place = home.tree("volumes", "v1") / name
    home.write(home.tree("extracted", "v2"), "packs/new/x", "v2")
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    plant(place, home.etc)
    ended = home.sync(shell)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert home.own() == OWN
    is_passed_over = name in ("packs", "packs/new")
    assert ("a container has put something else there; it gets no assets" in ended.stderr) == is_passed_over
    assert (home.tree("volumes", "v2") / "packs/app-v1").read_text() == "v1"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_links_of_a_retained_container_do_not_lead_a_rollback_out_of_its_folder(shell: list[str], home: Home) -> None:
    """The folder of the version that starts may be an old one, with what its container put there."""
    home.tree("volumes", "v2").mkdir()
    (home.tree("volumes", "v2") / "packs").symlink_to(home.etc / "cron.d")
    assert home.sync(shell).returncode == 0
    assert home.own() == OWN


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("target", ["{etc}/cron.d", "../../../../../etc/cron.d", "{etc}/new", ".."])
def test_links_that_an_image_brings_lead_nowhere(shell: list[str], version: str, target: str, home: Home) -> None:
    """A link in one image's assets and a folder of that name in the other's must not come together outside."""
    tree = home.tree("extracted", version)
    shutil.rmtree(tree / "packs")
    (tree / "packs").symlink_to(target.format(etc=home.etc))
    assert extracted(shell, home, version).returncode == 0
    assert not (tree / "packs").is_symlink()
    assert home.sync(shell).returncode == 0
    assert home.own() == OWN


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_links_inside_the_assets_stay_what_they_are(shell: list[str], home: Home) -> None:
    """A link to a neighbour stays a link, one to elsewhere in the assets becomes the file."""
    tree = home.tree("extracted", "v2")
    (tree / "app.css").symlink_to("both")
    (tree / "packs/current").symlink_to("../both")
    os.mkfifo(tree / "pipe")
    ended = extracted(shell, home, "v2")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert home.sync(shell).returncode == 0
    volume = home.tree("volumes", "v2")
    assert (volume / "app.css").readlink() == Path("both")
    assert not (volume / "packs/current").is_symlink()
    assert (volume / "packs/current").read_text() == "v2"
    assert not (volume / "pipe").exists()
    assert sorted(path.name for path in home.tree("volumes", "v1").iterdir()) == ["app.css", "both", "packs"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_a_container_of_any_user_can_read_its_assets(umask: int, home: Home) -> None:
    """Whatever the host's umask, and whatever modes the files had in the image."""
    (home.tree("extracted", "v2") / "packs").chmod(0o700)
    (home.tree("extracted", "v2") / "both").chmod(0o600)
    assert extracted(["sh"], home, "v2", umask=umask).returncode == 0
    assert home.sync(["sh"], umask=umask).returncode == 0
    for version in ("v1", "v2"):
        for path in (home.tree("volumes", version), *home.tree("volumes", version).rglob("*-v2")):
            wanted = 0o555 if path.is_dir() else 0o444
            assert stat.S_IMODE(path.stat().st_mode) & wanted == wanted


def test_a_folder_that_is_swapped_for_a_link_at_any_moment_leads_nowhere(home: Home) -> None:
    """A process in the container swaps a folder and a link as fast as it can, while assets are shared."""
    for number in range(8):
        home.write(home.tree("extracted", "v2"), f"packs/inner/{number}/x", "v2")
    volume = home.tree("volumes", "v1")
    (volume / "aside").symlink_to(home.etc / "cron.d")
    (home.etc / "cron.d/inner").mkdir()
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            exchange(volume / "packs", volume / "aside")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(4):
            home.sync(["dash"])
    finally:
        is_over.set()
        swapping.join()
    assert home.own() == OWN
    assert list((home.etc / "cron.d/inner").iterdir()) == []


def exchange(one: Path, other: Path) -> None:
    """Let two names change places in one step (``renameat2``, Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


def extracted(shell: list[str], home: Home, version: str, *, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """What follows ``docker cp`` of a version's assets."""
    tree = f".kamal/assets/extracted/shop-web-{version}"
    tidying = re.findall("tidy_assets .*", functions("extract_assets"))[0].replace('"$4"', tree)
    return home.run(shell, f"umask 022; {tidying}", umask=umask)
