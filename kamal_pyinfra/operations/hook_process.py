"""A program on this machine that is heard line by line and does not outlive an interrupted run."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

CHUNK = 65536
TICK = 50
"""Milliseconds between two looks at a program that is silent."""
LAST_CHUNKS = 16
"""How much is read once the program has ended: what it left in the background may write on for ever."""
GRACE = 3
"""Seconds between TERM and KILL."""

SILENT_SECONDS = 3600
"""For which a program may print nothing; what prints is watched by somebody, and ended by Ctrl-C."""


class SilentError(Exception):
    """A program printed nothing for too long, and is ended.

    Args:
        seconds: for how long.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"printed nothing for {seconds} s and was ended")


_RUNNING: set[subprocess.Popen[bytes]] = set()


def run_program(program: Path, *, folder: Path, environ: Mapping[str, str], hear: Callable[[str], None]) -> int:
    """Run a program to its end.

    It is its own process group and has no terminal and no input. When this function is left by an exception,
    the whole group is ended; what the program leaves in the background after it ended by itself stays.

    Args:
        program: an executable file; without a ``#!`` line it is a shell script.
        folder: where it runs.
        environ: all of its environment.
        hear: called with each line that it writes.

    Returns:
        The exit code; negative for a signal.

    Raises:
        OSError: it could not be started. ValueError: a variable cannot be handed over. SilentError: it printed nothing
            for :data:`SILENT_SECONDS`.
    """
    try:
        return _run([str(program)], folder, environ, hear)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    return _run(["/bin/sh", str(program)], folder, environ, hear)


def end_programs() -> None:
    """End what still runs; for a run that is interrupted from outside."""
    for process in tuple(_RUNNING):
        _end(process)


@contextlib.contextmanager
def exiting_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise :class:`SystemExit` with 128 + n, so that ``finally`` does its work."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    previous = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _run(command: list[str], folder: Path, environ: Mapping[str, str], hear: Callable[[str], None]) -> int:
    # Known before it starts: an interruption between the fork and the return would leave it to itself.
    process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)
    _RUNNING.add(process)
    try:
        process.__init__(  # type: ignore[misc] # of an object that is known already, see above
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environ),
            start_new_session=True,
        )
        for line in lines_of(process, SILENT_SECONDS):
            hear(line)
        return ended(process, SILENT_SECONDS)
    finally:
        _end(process)
        _RUNNING.discard(process)
        if output := getattr(process, "stdout", None):
            output.close()


def lines_of(process: subprocess.Popen[bytes], silent: int) -> Iterator[str]:
    """What a program prints, line by line and without line ends; an endless line comes in pieces.

    Args:
        process: with a pipe for its output.
        silent: seconds for which it may print nothing.

    Raises:
        SilentError: it printed nothing for so long.
    """
    rest = b""
    for chunk in _chunks(process, silent):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > CHUNK:
            lines, rest = [*lines, rest], b""
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def ended(process: subprocess.Popen[bytes], silent: int) -> int:
    """The exit code of a program that prints no more.

    Raises:
        SilentError: it does not end.
    """
    try:
        return process.wait(silent)
    except subprocess.TimeoutExpired:
        raise SilentError(silent) from None


def _chunks(process: subprocess.Popen[bytes], silent: int) -> Iterator[bytes]:
    """What the program writes, until it has ended: the end of the pipe may never come."""
    output = process.stdout
    if output is None:
        return
    poll = select.poll()
    poll.register(output, select.POLLIN)
    left, heard = LAST_CHUNKS, time.monotonic()
    while left:
        has_ended = process.poll() is not None
        left -= has_ended
        if poll.poll(0 if has_ended else TICK):
            chunk = os.read(output.fileno(), CHUNK)
            if not chunk:
                return
            heard = time.monotonic()
            yield chunk
        elif has_ended:
            return
        elif time.monotonic() - heard > silent:
            raise SilentError(silent)


def _end(process: subprocess.Popen[bytes]) -> None:
    if getattr(process, "pid", None) is None or process.poll() is not None:
        return
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    _signal_group(process, signal.SIGKILL)  # the program, or a child that outlived it
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
