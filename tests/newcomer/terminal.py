"""A terminal on a host: lines are typed as somebody types them, and what comes back is read from the screen."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from typing import NamedTuple

PROMPT = re.compile(r"<<(\d+)>> $")
SET_UP = "stty columns 120 rows 40; bind 'set enable-bracketed-paste off'; PS1='<<$?>> '"
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")
CHUNK = 1 << 16


class Seen(NamedTuple):
    """What a line came to: its exit code, and the screen without colours."""

    code: int
    text: str


class Terminal:
    """A login shell over SSH.

    Args:
        argv: the openssh command that reaches the host.
    """

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(
            [argv[0], "-tt", *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TERM": "xterm-256color"},
        )
        self._screen = ""
        self.type(SET_UP, seconds=30)

    def close(self) -> None:
        """Hang up."""
        self._process.kill()
        self._process.communicate(timeout=30)

    def type(self, line: str, *answers: tuple[str, str], seconds: float = 240) -> Seen:
        """Type a line, answer each question once it is on the screen, and wait for the next prompt."""
        self._screen = ""
        self._send(line)
        until = time.monotonic() + seconds
        seen = 0
        for question, answer in answers:
            self._wait_for(re.compile(re.escape(question)), until, seen)
            seen = self._screen.rindex(question) + len(question)
            self._send(answer)
        prompt = self._wait_for(PROMPT, until, seen)
        return Seen(int(prompt[1]), self._screen[: prompt.start()])

    def _send(self, text: str) -> None:
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()

    def _wait_for(self, pattern: re.Pattern[str], until: float, start: int) -> re.Match[str]:
        while True:
            found = pattern.search(self._screen, start)
            if found is not None:
                return found
            left = until - time.monotonic()
            if left < 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise AssertionError(f"waited in vain for {pattern.pattern!r}; the screen is\n{self._screen}")
            read = os.read(self._process.stdout.fileno(), CHUNK)
            if not read:
                raise AssertionError(f"the shell ended; the screen is\n{self._screen}")
            self._screen += STYLE.sub("", read.decode(errors="replace"))
