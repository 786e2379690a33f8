"""The process that holds the lock, known again by its start, with and without `/proc`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kamal_pyinfra.config.holder import current_holder, is_dead


@pytest.fixture(params=["ps", "/proc"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Linux, and a system that has `ps` only."""
    if request.param == "ps":
        monkeypatch.setattr("kamal_pyinfra.config.holder.PROCESSES", tmp_path)


@pytest.mark.usefixtures("either_way")
def test_a_process_is_alive_until_it_ended_and_another_with_its_number_is_another() -> None:
    holder = current_holder()
    host, pid, start = holder.split(" ")
    assert (host, int(pid), bool(start)) == (socket.gethostname(), os.getpid(), True)
    assert not is_dead(holder)
    assert is_dead(f"{host} {pid} another-start")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_dead(f"{host} {child.pid} {start}")
    assert not is_dead(f"elsewhere {child.pid} {start}")
    assert not any(is_dead(f"{host} {odd} {start}") for odd in ("", "-1", "²", "9" * 5000))
