"""Which process on which machine holds the deploy lock."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

PROCESSES = Path("/proc")


def current_holder() -> str:
    """``HOST PID START`` of this process; the start time tells it from a later one with the same number."""
    pid = os.getpid()
    return f"{socket.gethostname()} {pid} {_start_time(pid)}"


def is_dead(holder: str) -> bool:
    """Whether that process ran on this machine and is gone. Of other machines nothing is known: ``False``."""
    host, _, process = holder.partition(" ")
    pid, _, start = process.partition(" ")
    if host != socket.gethostname() or not re.fullmatch("[0-9]{1,10}", pid):
        return False
    return _start_time(int(pid)) != start


def _start_time(pid: int) -> str:
    """The process's start time without blanks; empty if there is no such process."""
    return _start_tick(pid) if (PROCESSES / "self/stat").exists() else _start_by_ps(pid)


def _start_tick(pid: int) -> str:
    """In clock ticks since the machine started, as Linux tells it."""
    try:
        stat = (PROCESSES / f"{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # field 22; the name before it may hold blanks


def _start_by_ps(pid: int) -> str:
    """As macOS and the BSDs tell it; a process of its own costs as much as a round trip."""
    answer = subprocess.run(  # noqa: S603 - no shell, a number is the only argument
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - from PATH on purpose
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    return "-".join(answer.stdout.split())
