"""Runs programs on the deploying machine, passes their output on, and ends them with the run."""

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
from functools import partial
from pathlib import Path
from typing import Self

from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.local.signals import signals_after
from kamal_pyinfra.text import sanitized

Argv = list[str]
Output = Callable[[str], object]
"""Called with each line that a program prints."""
Running = set["subprocess.Popen[bytes]"]
"""Programs of a run that have not ended."""
CHUNK = 65536
TICK = 50
"""Milliseconds between two checks whether a silent program has ended."""
LAST_CHUNKS = 16
"""How much is read once the program has ended: what it left in the background may write on for ever."""
LAST_LINES = 40
GRACE = 5
"""Seconds between TERM and KILL."""
SILENT_SECONDS = 3600
"""For which a program may print nothing; one that prints is ended by Ctrl-C."""
ANSWER_SECONDS = 60
"""For a question to a program; this machine's Docker may hang."""


@dataclass(frozen=True)
class Answer:
    """Output of a program, and whether it succeeded."""

    succeeded: bool
    out: str
    error: str


@dataclass(frozen=True)
class End:
    """How a program ended: ``failed with exit code 3``, empty if it succeeded; with its last lines."""

    failure: str
    last: tuple[str, ...] = ()

    def message(self, name: str) -> str:
        """The failure, then the last lines, each indented."""
        return "\n".join([f"{name} {self.failure}", *(f"  {line}" for line in self.last)])


@dataclass(frozen=True)
class Programs:
    """Runs programs."""

    output: Output = str
    warn: Output = str  # called with what the user should know although it works
    # variables over those of ``base``; ``None`` takes one away
    env: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None  # where programs run; by default the working directory
    # the environment; by default that of this process
    base: Mapping[str, str] = field(default_factory=lambda: os.environ)
    # whether programs share this one's terminal; else each one leads a process group of its own, which ends with it
    has_terminal: bool = True
    running: Running = field(default_factory=set)  # gets each program as long as it runs, so that a signal can end it

    def having(self, *, env: Mapping[str, str | None] | None = None, folder: Path | None = None) -> Self:
        """The same with more variables, or elsewhere."""
        return replace(self, env={**self.env, **(env or {})}, folder=folder or self.folder)

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in {**self.base, **self.env}.items() if value is not None}

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

    def require(
        self, argv: Sequence[str], *, hint: str = "", secret: str | None = None, silent: int | None = None
    ) -> None:
        """Run a program that has to succeed; arguments as of :meth:`run`."""
        end = self.run(argv, secret=secret, silent=silent)
        if end.failure:
            raise BuildFailed("\n".join(filter(None, (hint, end.message(f"`{shown(argv)}`")))))

    def run(self, argv: Sequence[str], *, secret: str | None = None, silent: int | None = None) -> End:
        """Run a program to its end and pass its output on.

        When this method is left by an exception, the program is ended; what it leaves in the background after it ended
        by itself stays.

        Args:
            argv: program and arguments; a file without a ``#!`` line is a shell script.
            secret: goes to its standard input, which is empty otherwise.
            silent: seconds for which it may print nothing; by default :data:`SILENT_SECONDS`.
        """
        limit, last = silent or SILENT_SECONDS, deque[str](maxlen=LAST_LINES)
        # Registered before it starts: an interruption between the fork and the return would leave it to itself.
        process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)
        self.running.add(process)
        try:
            if failure := self._start(process, argv, has_input=secret is not None):
                return End(failure)
            for line in _lines(process, secret, limit):
                last.append(sanitized(line.rstrip()))
                self.output(last[-1])
            code = process.wait(limit)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            return self.run(["/bin/sh", *argv], secret=secret, silent=silent)
        except subprocess.TimeoutExpired:
            return End(f"printed nothing for {limit} s and was ended", tuple(last))
        finally:
            _end(process)
            self.running.discard(process)
            if output := getattr(process, "stdout", None):
                output.close()
        failure = f"failed with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        return End(failure if code else "", tuple(last))

    def _start(self, process: subprocess.Popen[bytes], argv: Sequence[str], *, has_input: bool) -> str:
        """Start a program; returns why that failed."""
        try:
            with signals_after():
                process.__init__(  # type: ignore[misc] # of an object that is registered already, see above
                    argv,
                    stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env=self._environment(),
                    start_new_session=not self.has_terminal,
                )
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                raise
            return f"could not be started: {error.strerror}"
        except ValueError:
            return "could not be started: a variable cannot be handed over"
        return ""


def end_programs(running: Running) -> None:
    """End what still runs, for a run that is interrupted from outside."""
    for process in tuple(running):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if getattr(process, "pid", None) is None or process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        leads_group = os.getpgid(process.pid) == process.pid
        send = partial(os.killpg, process.pid) if leads_group else process.send_signal
        send(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        send(signal.SIGKILL)  # the program, or a child that outlived it
    process.wait()


def _lines(process: subprocess.Popen[bytes], secret: str | None, silent: int) -> Iterator[str]:
    """What a program prints, line by line and without line ends; an endless line comes in pieces."""
    if secret is not None and process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it ended before it read; its exit code has the reason
            process.stdin.write(secret.encode())
            process.stdin.close()
    rest = b""
    for chunk in _chunks(process, silent):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > CHUNK:
            lines, rest = [*lines, rest], b""
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _chunks(process: subprocess.Popen[bytes], silent: int) -> Iterator[bytes]:
    """What the program writes, until it has ended: the end of the pipe may never come."""
    output = process.stdout
    if output is None:
        return
    poll = select.poll()
    poll.register(output, select.POLLIN)
    left, last_output = LAST_CHUNKS, time.monotonic()
    while left:
        has_ended = process.poll() is not None
        left -= has_ended
        if poll.poll(0 if has_ended else TICK):
            chunk = os.read(output.fileno(), CHUNK)
            if not chunk:
                return
            last_output = time.monotonic()
            yield chunk
        elif has_ended:
            return
        elif time.monotonic() - last_output > silent:
            raise subprocess.TimeoutExpired(process.args, silent)


def shown(argv: Sequence[str]) -> str:
    """The words that name a command in a message."""
    words = list(argv)
    if "--context" in words[:2]:
        del words[1:3]
    return " ".join(words[:3] if words[1] in ("buildx", "context") else words[:2])
