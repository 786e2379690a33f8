"""How long a command may last, and how many hosts pull at once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.script import KEY_MARK, KILL_SECONDS

LIMIT = "kp_command_timeout"
"""Name of the limit in pyinfra's data of a host, in seconds."""

SHELL = re.compile(r"((?:[^\s']+ )*?sudo (?:[^\s']+ )*?)?(?=sh -c )")
"""What pyinfra puts before the shell that runs a command: nothing, or sudo with its words."""

BOUNDED = re.compile(rf"sh -c '?timeout -k {KILL_SECONDS} (\d+) ")

KEY = re.compile(rf"{re.escape(KEY_MARK)}(\S+)")

DEFAULT_KEY = "ssh.command_timeout"

STOPPED = (124, 137)
"""What `timeout` exits with when the time was up: after TERM, and after KILL."""

PATIENCE_SECONDS = 15
"""Beyond the limit and the time until KILL: what has not ended by then never will, or nobody hears of it."""


def limit_commands(client: Any, seconds: int) -> None:
    """Let no command of a connection last for longer than it may.

    The host ends it; where the host cannot (its programs hang, or wait for a disk that does not answer), the
    connection is given up from here.

    Args:
        client: paramiko's, connected.
        seconds: for commands that have no limit of their own (:func:`kamal_pyinfra.shell.script.guarded`).
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
    sent, allowed = limited(command, seconds)
    limit = Limit(allowed, _key(command, sent), time.monotonic())
    stdin, stdout, stderr = original(sent, *arguments, **options)
    return stdin, stdout, _Told(stderr, limit)


def _key(command: str, sent: str) -> str:
    found = KEY.search(command)
    return found[1] if found is not None else DEFAULT_KEY if sent != command else ""


@dataclass(frozen=True)
class Limit:
    """What holds for one command.

    Args:
        seconds: that it may last.
        key: of the configuration, that makes it longer; empty where there is none.
        began: by the monotonic clock.
    """

    seconds: int
    key: str
    began: float

    def __str__(self) -> str:
        return f"{self.seconds} s{f' ({self.key})' if self.key else ''}"

    @property
    def is_over(self) -> bool:
        """Whether the time was up."""
        return time.monotonic() - self.began >= self.seconds


class _Told:
    """Standard error, with a last line if the time was up: `timeout` itself says nothing."""

    def __init__(self, stream: Any, limit: Limit) -> None:
        self.stream = stream
        self.limit = limit
        self.is_given_up = False
        self.deadline = gevent.spawn_later(limit.seconds + KILL_SECONDS + PATIENCE_SECONDS, self._give_up)

    def __iter__(self) -> Iterator[str]:
        yield from self.stream
        code = self.stream.channel.recv_exit_status()
        self.deadline.kill(block=False)
        if self.is_given_up:
            yield f"Nothing was heard of it when its {self.limit} were over; the host or Docker hangs.\n"
        elif code in STOPPED and self.limit.is_over:  # a container may exit with 137 by itself
            yield f"It did not end within {self.limit} and was stopped.\n"

    def _give_up(self) -> None:
        """Close the connection: whoever reads from it is woken, and nothing more is sent on it."""
        channel = self.stream.channel
        if not channel.exit_status_ready():
            self.is_given_up = True
            channel.get_transport().close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_TURNS: WeakKeyDictionary[State, BoundedSemaphore] = WeakKeyDictionary()


def turn(state: State, run: Run) -> AbstractContextManager[Any]:
    """Wait until fewer than ``sshkit.max_concurrent_starts`` hosts fetch an image, and be one of them."""
    limit = run.config.sshkit.max_concurrent_starts
    turns: AbstractContextManager[Any] = _TURNS.setdefault(state, BoundedSemaphore(limit))
    return turns


class InTurn(StringCommand):
    """A command that waits for its turn; its time is counted from then on.

    Args:
        script: the command.
        run: says how many may be under way.
    """

    def __init__(self, script: str, run: Run) -> None:
        super().__init__(script)
        self.run = run

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Run it on the host."""
        with turn(state, self.run):
            return super().execute(state, host, connector_arguments)
