"""Commands of a connection: any output is read, none lasts too long, and what sudo refuses is explained."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from paramiko import SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import SUDO_PASSWORD_REQUIRED_LINES

from kamal_pyinfra.shell.script import KEY_MARK, KILL_SECONDS
from kamal_pyinfra.ssh.patches import Execute, Streams

CHUNK = 1 << 15
LONGEST_LINE = 4 << 20  # what is longer comes in pieces
MOST_BYTES = 32 << 20  # of one command, on each of its streams
LIMIT = "kp_command_timeout"  # name of the limit in pyinfra's data of a host, in seconds
SHELL = re.compile(r"((?:[^\s']+ )*?sudo (?:[^\s']+ )*?)?(?=sh -c )")
"""What pyinfra puts before the shell that runs a command: nothing, or sudo with its words."""
BOUNDED = re.compile(rf"sh -c '?timeout -k {KILL_SECONDS} (\d+) ")
KEY = re.compile(rf"{re.escape(KEY_MARK)}(\S+)")
DEFAULT_KEY = "ssh.command_timeout"
STOPPED = (124, 137)  # what `timeout` exits with when the time was up: after TERM, and after KILL
PATIENCE_SECONDS = 15
"""Beyond the limit and the time until KILL: what has not ended by then never will, or its end does not reach us."""
BEFORE = re.compile(r"(?:env (?:\S+=\S* )+)?(?:exec )?sudo ")
"""How a command begins that goes through sudo, with a password or without."""
PASSED_ON = re.compile(r"docker (exec|run) ")
"""What a program in a container prints about a sudo of its own is not the host's; a command of ours came before it."""
ELSE = "or reach the host as root, or as a user in the group docker without `sudo: true`"
OWN_LINE = re.compile(r"sudo(-rs)?: ")
ASKPASS = "sudo-askpass"


class Wrapper:
    """A stream or a channel of paramiko with something of ours; all else is its own."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


class Output(Wrapper):
    """A stream whose lines are these, with its own channel or another."""

    def __init__(self, stream: Any, lines: Iterable[str], channel: Any = None) -> None:
        super().__init__(stream)
        self.lines = lines
        if channel is not None:
            self.channel = channel

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)


def passed_on(execute: Execute, on_line: Callable[[str], None], *arguments: Any, **options: Any) -> Streams:
    """Pass lines of standard output on while a command runs; pyinfra shows them when it is over."""

    def lines() -> Iterator[str]:
        for line in stdout:
            on_line(line.rstrip("\n"))
            yield line

    stdin, stdout, stderr = execute(*arguments, **options)
    return stdin, Output(stdout, lines()), stderr


def lenient(execute: Execute, *arguments: Any, **options: Any) -> Streams:
    """Read output of any bytes, and fail as pyinfra expects when the connection has ended."""
    try:
        stdin, stdout, stderr = execute(*arguments, **options)
    except EOFError as error:  # the other side hung up while the command was on its way; pyinfra does not catch it
        raise SSHException("the connection ended") from error
    return stdin, Output(stdout, lenient_lines(stdout)), Output(stderr, lenient_lines(stderr))


def lenient_lines(stream: Any) -> Iterator[str]:
    """Lines with their ends; bytes that are no text become replacement characters, where paramiko's own lines fail."""
    waiting, total = bytearray(), 0
    while data := stream._read(CHUNK):  # as paramiko's own lines do
        total += len(data)
        if total > MOST_BYTES:
            stream.channel.close()
            yield f"It printed more than {MOST_BYTES >> 20} MiB and was ended.\n"
            return
        waiting += data
        if b"\n" in data or len(waiting) > LONGEST_LINE:
            *lines, waiting = waiting.split(b"\n") if b"\n" in data else (waiting, bytearray())
            yield from (f"{line.decode(errors='replace')}\n" for line in lines)
    if waiting:
        yield waiting.decode(errors="replace")


def in_time(execute: Execute, seconds: int, command: str, *arguments: Any, **options: Any) -> Streams:
    """Let no command last longer than it may; ``seconds`` are for one without a limit of its own.

    The host ends it; where the host cannot (its programs hang, or wait for a disk that does not answer), the
    connection is given up from this side. Then standard error has a last line: `timeout` itself prints nothing.
    """
    sent, allowed = limited(command, seconds)
    key = found[1] if (found := KEY.search(command)) else DEFAULT_KEY if sent != command else ""
    limit = f"{allowed} s{f' ({key})' if key else ''}"
    ends_at = time.monotonic() + allowed
    stdin, stdout, stderr = execute(sent, *arguments, **options)
    given_up = Event()
    deadline = gevent.spawn_later(allowed + KILL_SECONDS + PATIENCE_SECONDS, _give_up, stderr.channel, given_up)

    def lines() -> Iterator[str]:
        yield from stderr
        code = stderr.channel.recv_exit_status()
        deadline.kill(block=False)
        if given_up.is_set():
            yield f"No answer came within {limit}; the host or Docker hangs.\n"
        elif code in STOPPED and time.monotonic() >= ends_at:  # a container may exit with 137 by itself
            yield f"It did not end within {limit} and was stopped.\n"

    return stdin, stdout, Output(stderr, lines())


def _give_up(channel: Any, given_up: Event) -> None:
    """Close the connection of a command: whatever reads from it is woken, and nothing more is sent on it."""
    if not channel.exit_status_ready():
        given_up.set()
        channel.get_transport().close()


def limited(command: str, seconds: int) -> tuple[str, int]:
    """Return the command as it is sent, and the limit that holds for it, in seconds."""
    start = found.end() if (found := SHELL.match(command)) else 0
    if own := BOUNDED.match(command, start):
        return command, int(own[1])
    # Inside sudo: the user could not end what runs as root.
    return f"{command[:start]}timeout -k {KILL_SECONDS} {seconds} {command[start:]}", seconds


class LimitedPull(StringCommand):
    """A command that waits for one of the pull slots; its time is counted from then on."""

    def __init__(self, script: str, slots: BoundedSemaphore) -> None:
        super().__init__(script)
        self.slots = slots

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Run it on the host."""
        with self.slots:
            return super().execute(state, host, connector_arguments)


def with_reasons_of_sudo(
    execute: Execute, host: str, user: str, command: str, *arguments: Any, **options: Any
) -> Streams:
    """Explain why sudo on a host refused a command of the user who logs in there, and what to do."""
    stdin, stdout, stderr = execute(command, *arguments, **options)
    is_own = BEFORE.match(command) is not None and PASSED_ON.search(command) is None
    return stdin, stdout, Output(stderr, _explained(stderr, host, user)) if is_own else stderr


def _explained(stream: Any, host: str, user: str) -> Iterator[str]:
    unexplained, is_explained = "", False
    for line in stream:
        text = line.rstrip("\r\n")
        # pyinfra reads such a line, and asks for the password.
        is_prompt = text.strip() in SUDO_PASSWORD_REQUIRED_LINES and sys.stdin.isatty()
        why = "" if is_prompt else _reason(text.strip(), host, user)
        is_explained = is_explained or bool(why)
        if OWN_LINE.match(text):
            unexplained = "" if is_prompt else text
        yield f"{why}\n" if why else line
    # In another language the words are others.
    if unexplained and not is_explained and stream.channel.recv_exit_status() == 1:
        yield f"{host}: sudo refuses {user} ({unexplained}); see that `sudo -n true` works there\n"


def _reason(line: str, host: str, user: str) -> str:
    """What is wrong and what to do, by a line that sudo or the shell before it printed; empty if it is another line."""
    give = f"give {user} `NOPASSWD: ALL` in a file of /etc/sudoers.d there, {ELSE}"
    if line in SUDO_PASSWORD_REQUIRED_LINES or "no tty present and no askpass" in line:
        return f"{host}: sudo wants a password of {user}; {give}"
    if ASKPASS in line and OWN_LINE.match(line):
        return f"{host}: sudo may not run the program that hands over the password ({line}); {give}"
    if re.search(r"\bsudo: (command )?not found$", line) or line == "sudo: No such file or directory":
        return f"{host}: sudo is not installed; install it, {ELSE}"
    if "is not in the sudoers file" in line or "is not allowed to" in line or "may not run sudo" in line:
        return f"{host}: {user} may not use sudo; {give}"
    if "must have a tty" in line:
        return f"{host}: sudo wants a terminal (requiretty); write `Defaults:{user} !requiretty` into its sudoers"
    return ""
