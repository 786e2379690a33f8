"""Programs on the deploying machine: argument lists without a shell, output passed on line by line."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from kamal_pyinfra.errors import BuildFailed
from kamal_pyinfra.operations.hook_process import SILENT_SECONDS, SilentError, ended, lines_of
from kamal_pyinfra.text import sanitized

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
