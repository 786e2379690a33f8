"""Run commands, and wait for what they start."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Result = subprocess.CompletedProcess[str]


class LabError(Exception):
    """The lab cannot do what was asked; the text says why and what to do."""


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    input: str | None = None,
    timeout: float = 600,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run one command with its output captured; `env` is added to this process's own."""
    result = subprocess.run(
        list(argv),
        check=False,
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        env=None if env is None else os.environ | env,
        cwd=cwd,
    )
    if check and result.returncode != 0:
        raise LabError(failure_text(result))
    return result


def failure_text(result: Result) -> str:
    """Return the command, its exit code and the end of what it said."""
    said = (result.stdout + result.stderr).strip()
    return f"`{shlex.join(result.args)}` exited {result.returncode}:\n{said[-3000:]}"


def as_root(argv: Sequence[str]) -> list[str]:
    """Put `sudo` in front for a user who is not root."""
    return [*([] if os.geteuid() == 0 else ["sudo"]), *argv]


def wait_for(what: str, condition: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> None:
    """Ask until `condition` is true, or raise when the deadline has passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(pause)


def say(text: str) -> None:
    """Tell the user what goes on, on stderr: stdout is for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a lock on a directory, which leaves no file behind and ends with the process."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
