"""Runs a program here, passes its output on, and ends it with the run."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local.signals import ENDING, signals_after
from kamal_pyinfra.text import sanitized

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
        _end_group(process)


def _run(command: list[str], folder: Path, environ: Mapping[str, str], hear: Callable[[str], None]) -> int:
    # Known before it starts: an interruption between the fork and the return would leave it to itself.
    process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)
    _RUNNING.add(process)
    try:
        with signals_after(ENDING):
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
        _end_group(process)
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


def _end_group(process: subprocess.Popen[bytes]) -> None:
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


Say = Callable[[str], None]

LAST_LINES = 40

GRACE_SECONDS = 10

ANSWER_SECONDS = 60
"""For a question to a program; this machine's Docker may hang."""


@dataclass(frozen=True)
class Answer:
    """What a program said, and whether it succeeded."""

    succeeded: bool
    out: str
    error: str


@dataclass(frozen=True)
class Programs:
    """Runs programs.

    Args:
        say: called with each line that a program prints.
        warn: called with what the user should know although it works.
        env: variables over those of this process; ``None`` takes one away.
        folder: where programs run; by default here.
    """

    say: Say
    warn: Say
    env: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None

    def having(self, *, env: Mapping[str, str | None] | None = None, folder: Path | None = None) -> Self:
        """The same with more variables, or elsewhere."""
        return replace(self, env={**self.env, **(env or {})}, folder=folder or self.folder)

    def _environment(self) -> dict[str, str]:
        merged = {**os.environ, **self.env}
        return {name: value for name, value in merged.items() if value is not None}

    def ask(self, argv: Sequence[str], *, seconds: int = ANSWER_SECONDS) -> Answer:
        """Run a program for its answer; one that is missing, or does not answer in time, has failed."""
        try:
            done = subprocess.run(  # noqa: S603 - an argument list of our own, no shell
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=seconds,
                cwd=self.folder,
                env=self._environment(),
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return Answer(succeeded=False, out="", error=f"`{' '.join(argv[:2])}` did not answer within {seconds} s")
        except OSError as error:
            return Answer(succeeded=False, out="", error=str(error))
        return Answer(done.returncode == 0, done.stdout.strip(), sanitized(done.stderr.strip()))

    def _start(self, argv: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - an argument list of our own, no shell
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self._environment(),
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        shown: str,
        secret: str | None = None,
        hint: str = "",
        silent: int = SILENT_SECONDS,
    ) -> None:
        """Run a program and pass its output on.

        Args:
            argv: program and arguments.
            shown: how an error calls it.
            secret: goes to its standard input.
            hint: begins the message of an error.
            silent: seconds for which it may print nothing.

        Raises:
            BuildFailed: it failed; the message ends with its last output.
        """
        process = self._start(argv, subprocess.DEVNULL if secret is None else subprocess.PIPE)
        last: deque[str] = deque(maxlen=LAST_LINES)
        try:
            _type(process, secret)
            for line in lines_of(process, silent):
                last.append(sanitized(line.rstrip()))
                self.say(last[-1])
            code = ended(process, silent)
            end = f"failed with exit code {code}" if code else ""
        except SilentError as error:
            end = str(error)
        finally:
            _end(process)
        if end:
            raise BuildFailed("\n".join([*filter(None, (hint, f"`{shown}` {end}")), *(f"  {line}" for line in last)]))


def _type(process: subprocess.Popen[bytes], secret: str | None) -> None:
    if secret is not None and process.stdin is not None:
        try:
            process.stdin.write(secret.encode())
            process.stdin.close()
        except BrokenPipeError:  # it ended before it read; its exit code says why
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, since this run was interrupted."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


Argv = list[str]


def shown(argv: Sequence[str]) -> str:
    """The words that name a command in a message."""
    words = list(argv)
    if "--context" in words[:2]:
        del words[1:3]
    return " ".join(words[:3] if words[1] in ("buildx", "context") else words[:2])
