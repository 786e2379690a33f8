"""The process that holds the lock, known again by its machine, boot, namespace and start, with and without `/proc`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kamal_pyinfra.local import new_run as holders
from kamal_pyinfra.local.new_run import current_holder, host_of, is_dead

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip() if sys.platform == "linux" else ""


@pytest.fixture(params=["ps", "/proc"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Linux, and a system that has `ps` and `sysctl` only, as macOS."""
    if request.param == "ps":
        sysctl = tmp_path / "bin/sysctl"
        sysctl.parent.mkdir()
        sysctl.write_text('#!/bin/sh\n[ "$*" = "-n kern.bootsessionuuid" ] && echo 3F2A-77\n')
        sysctl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{sysctl.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(holders, "PROCESSES", tmp_path)


@pytest.mark.usefixtures("either_way")
def test_a_process_is_alive_until_it_ended_and_another_with_its_number_is_another() -> None:
    holder = current_holder()
    where, pid, start = holder.split(" ")
    assert (host_of(holder), int(pid), bool(start)) == (socket.gethostname(), os.getpid(), True)
    assert not is_dead(holder, holder)
    assert is_dead(f"{where} {pid} another-start", holder)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_dead(f"{where} {child.pid} {start}", holder)
    assert not any(is_dead(f"{where} {odd} {start}", holder) for odd in ("", "-1", "²", "9" * 5000))


@pytest.mark.skipif(sys.platform != "linux", reason="a namespace of processes is Linux's")
def test_of_another_machine_boot_or_namespace_nothing_is_known() -> None:
    """Two containers, two laptops or two cloud images of one host name: their processes have numbers of their own."""
    name, boot, namespace = current_holder().split(" ")[0].split("/")
    assert boot == BOOT
    assert is_dead(f"{name}/{boot}/{namespace} {os.getpid()} 1", current_holder())
    for elsewhere in (
        name,  # an earlier kp's lock
        f"{name}/{boot}/1{namespace}",
        f"{name}/{boot[::-1]}/{namespace}",
        f"{name}/-/-",
        f"{boot}/{namespace}",
    ):
        assert not is_dead(f"{elsewhere} {os.getpid()} 1", current_holder()), elsewhere


@pytest.mark.skipif(sys.platform != "linux", reason="it asks /proc")
@pytest.mark.parametrize("missing", ["sys/kernel/random/boot_id", "self/ns/pid"])
def test_where_the_machine_cannot_be_told_from_another_the_lease_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/stat").touch()
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026531836]")
    (tmp_path / missing).unlink()
    monkeypatch.setattr(holders, "PROCESSES", tmp_path)
    assert current_holder().split(" ")[0] == f"{socket.gethostname()}/-/-"
    assert not is_dead(f"{socket.gethostname()}/-/- 1 1", current_holder())


@pytest.mark.skipif(sys.platform != "linux", reason="it asks /proc")
def test_a_process_that_is_hidden_is_not_taken_for_a_dead_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `hidepid` the processes of other users are not in /proc, and live."""
    where = current_holder().split(" ")[0]
    monkeypatch.setattr(holders, "_start_time", lambda pid: "")
    monkeypatch.setattr(holders.os, "kill", lambda pid, number: (_ for _ in ()).throw(PermissionError(1, "hidden")))
    assert not is_dead(f"{where} {os.getpid()} 77", current_holder())


EARLIER = """
import re, socket
from kamal_pyinfra.local.new_run import _start_time
def is_dead(holder):
    host, _, process = holder.partition(" ")
    pid, _, start = process.partition(" ")
    if host != socket.gethostname() or not re.fullmatch("[0-9]{1,10}", pid):
        return False
    return _start_time(int(pid)) != start
"""


def test_an_earlier_kp_leaves_the_lock_of_this_one_to_its_lease() -> None:
    """It compares the first word with its host name, and takes what follows the number for the start."""
    earlier: dict[str, object] = {}
    exec(EARLIER, earlier)
    check = earlier["is_dead"]
    assert callable(check)
    assert not check(current_holder())
