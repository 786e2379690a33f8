"""What a killed engine leaves running or mounted; found by the lab's own paths, so only ours is touched."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.process import as_root, run

PROC = Path("/proc")
BUILD_PREFIX = "kp-lab-build-"


def engine_pid(pidfile: Path) -> int | None:
    """Return the process id of the lab's dockerd, if the recorded process is still that."""
    found = run(as_root(["cat", str(pidfile)]), check=False).stdout.strip()
    if not found.isdigit():
        return None
    words = command_line(int(found))
    return int(found) if words and "dockerd" in words[0] and str(pidfile) in words else None


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process; none when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def end_of_killed_engine(pidfile: Path, exec_root: Path, data_root: Path) -> None:
    """End the containerd, shims and containers of an engine that is gone, and clean its folders."""
    if engine_pid(pidfile) is not None:
        return
    shims = list(_users_of(exec_root))
    for pid in [child for shim in shims for child in _descendants(shim)] + shims:
        run(as_root(["kill", "-KILL", str(pid)]), check=False)
    _wait_until_gone(shims)
    unmount(exec_root)
    unmount(data_root)
    run(as_root(["rm", "-rf", str(exec_root), str(pidfile)]))


def remove_build_folders() -> None:
    """Remove what killed builds left; to be called while no other build can run."""
    for folder in Path(tempfile.gettempdir()).glob(f"{BUILD_PREFIX}*"):
        unmount(folder)
        shutil.rmtree(folder, ignore_errors=True)


def unmount(folder: Path) -> None:
    """Unmount a folder and all that is mounted in it."""
    mounts = [line.split()[1] for line in (PROC / "self" / "mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if f"{mount}/".startswith(f"{folder}/")]):
        run(as_root(["umount", "--lazy", mount]), check=False)


def _users_of(folder: Path) -> Iterator[int]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            words = command_line(int(entry.name))
            if words and "containerd" in Path(words[0]).name and any(str(folder) in word for word in words):
                yield int(entry.name)


def _descendants(pid: int) -> list[int]:
    try:
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:
        return []
    children = [int(word) for word in text.split()]
    return [found for child in children for found in (child, *_descendants(child))]


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(command_line(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
