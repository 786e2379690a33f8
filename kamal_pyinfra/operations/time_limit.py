"""A time limit for every command that a host is sent, at the one place that all of them pass."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from kamal_pyinfra.commands.guard import KILL_SECONDS

LIMIT = "kp_command_timeout"
"""Name of the limit in pyinfra's data of a host, in seconds."""
SHELL = re.compile(r"((?:[^\s']+ )*?sudo (?:[^\s']+ )*?)?(?=sh -c )")
"""What pyinfra puts before the shell that runs a command: nothing, or sudo with its words."""
BOUNDED = re.compile(rf"sh -c '?timeout -k {KILL_SECONDS} (\d+) ")
STOPPED = (124, 137)
"""What `timeout` exits with when the time was up: after TERM, and after KILL."""


def limit_commands(client: Any, seconds: int) -> None:
    """Let no command of a connection last for longer than it may.

    Args:
        client: paramiko's, connected.
        seconds: for commands that have no limit of their own (:func:`kamal_pyinfra.commands.guard.guarded`).
    """
    if not isinstance(client.exec_command, _Limited):
        client.exec_command = _Limited(client.exec_command, seconds)


def limited(command: str, seconds: int) -> tuple[str, int]:
    """The command as it is sent, and the limit that holds for it, in seconds."""
    found = SHELL.match(command)
    start = found.end() if found is not None else 0
    own = BOUNDED.match(command, start)
    if own is not None:
        return command, int(own[1])
    # Inside sudo: the user could not end what runs as root.
    return f"{command[:start]}timeout -k {KILL_SECONDS} {seconds} {command[start:]}", seconds


class _Limited(partial[Any]):
    """``exec_command`` of one connection."""

    def __new__(cls, original: Any, seconds: int) -> _Limited:
        return super().__new__(cls, _exec_command, original, seconds)


def _exec_command(original: Any, seconds: int, command: str, *arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
    sent, limit = limited(command, seconds)
    began = time.monotonic()
    stdin, stdout, stderr = original(sent, *arguments, **options)
    return stdin, stdout, _Told(stderr, limit, began)


class _Told:
    """Standard error, with a last line if the time was up: `timeout` itself says nothing."""

    def __init__(self, stream: Any, limit: int, began: float) -> None:
        self.stream = stream
        self.limit = limit
        self.began = began

    def __iter__(self) -> Iterator[str]:
        yield from self.stream
        code = self.stream.channel.recv_exit_status()
        if code in STOPPED and time.monotonic() - self.began >= self.limit:  # a container may exit with 137 by itself
            yield f"It did not end within {self.limit} s and was stopped.\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
