"""How long a command may last, and how many hosts pull at once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.shell.script import KEY_MARK, KILL_SECONDS
from kamal_pyinfra.ssh.patches import Execute

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


def in_time(execute: Execute, seconds: int) -> Execute:
    """Commands that last no longer than they may.

    The host ends them; where the host cannot (its programs hang, or wait for a disk that does not answer), the
    connection is given up from here.

    Args:
        execute: sends a command.
        seconds: for commands that have no limit of their own (:func:`kamal_pyinfra.shell.script.guarded`).
    """

    def run(command: str, *arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        sent, allowed = limited(command, seconds)
        limit = Limit(allowed, _key(command, sent), time.monotonic())
        stdin, stdout, stderr = execute(sent, *arguments, **options)
        return stdin, stdout, TimeLimitNotice(stderr, limit)

    return run


def limited(command: str, seconds: int) -> tuple[str, int]:
    """The command as it is sent, and the limit that holds for it, in seconds."""
    found = SHELL.match(command)
    start = found.end() if found is not None else 0
    own = BOUNDED.match(command, start)
    if own is not None:
        return command, int(own[1])
    # Inside sudo: the user could not end what runs as root.
    return f"{command[:start]}timeout -k {KILL_SECONDS} {seconds} {command[start:]}", seconds


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


class TimeLimitNotice:
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


class LimitedPull(StringCommand):
    """A command that waits for its pull slot; its time is counted from then on.

    Args:
        script: the command.
        slots: of which it takes one.
    """

    def __init__(self, script: str, slots: BoundedSemaphore) -> None:
        super().__init__(script)
        self.slots = slots

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Run it on the host."""
        with self.slots:
            return super().execute(state, host, connector_arguments)
