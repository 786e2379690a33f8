"""The process that holds the lock, known again by its start, with and without `ps`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from kamal_pyinfra.config.holder import current_holder, is_dead


@pytest.fixture(params=["ps", "/proc"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has `ps`, and an image that does not."""
    if request.param == "/proc":
        monkeypatch.setattr("shutil.which", lambda name: None)


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
