"""Processes of this machine that a test has started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def is_running(pid: str | int) -> bool:
    """Whether there is such a process that does not just wait to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail if it does not in time."""
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
