"""Commands through the login shells of hosts: what the shell itself prints is told from what the command prints."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from gevent.event import Event
from paramiko import Channel, SSHException

from kamal_pyinfra.shell.login_shell import sheltered
from kamal_pyinfra.ssh.patches import Execute
from kamal_pyinfra.text import one_line

NOT_RUN = 126
"""What a shell exits with that found a command and could not run it (POSIX, 2.8.2)."""
KEPT_LINES = 20
SHOWN = 300


def in_any_login_shell(execute: Execute, host: str) -> Execute:
    """Commands that mean the same in any login shell, and fail where the shell ran another.

    Args:
        execute: gives lines of text.
        host: its name.
    """

    def run(command: str, *arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        start, end = new_mark(), new_mark()
        stdin, stdout, stderr = execute(sheltered(command, start=start, end=end), *arguments, **options)
        out = _Marked(stdout, start, end)
        return stdin, out, _Complaining(stderr, start, out, host)

    return run


def not_run(host: str, printed: str) -> str:
    """What is wrong with a host whose login shell does not run commands.

    Args:
        host: its name.
        printed: what the shell printed instead.
    """
    words = f"printed `{one_line(printed)[:SHOWN]}`" if printed else "printed nothing"
    return f"commands do not run on {host}: the login shell or a ForceCommand {words}"


def new_mark() -> str:
    """A word that nothing on a host can know before the command brings it there."""
    return f"kp-{secrets.token_hex(8)}"


class _Marked:
    """The lines between two marks; all others are noise.

    Args:
        stream: gives lines of text.
        start: the mark after which the command began.
        end: the mark with which it ended; empty if only the end of the stream says so.
    """

    def __init__(self, stream: Any, start: str, end: str = "") -> None:
        self.stream = stream
        self.start = start
        self.end = end
        self.is_begun = False
        self.noise: list[str] = []
        self.is_over = Event()

    def __iter__(self) -> Iterator[str]:
        try:
            yield from self._own(iter(self.stream))
        finally:
            self.is_over.set()

    def _own(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line.rstrip("\r\n").endswith(self.start):
                self.is_begun = True
                break
            if len(self.noise) < KEPT_LINES:
                self.noise.append(line.strip())
        for line in lines:
            before, mark, _ = line.partition(self.end) if self.end else (line, "", "")
            if before:
                yield before
            if mark:
                break
        for _ in lines:
            pass

    @property
    def channel(self) -> Any:
        """The channel, on which a command that did not begin did not succeed either."""
        return _Verdict(self.stream.channel, self)

    @property
    def is_refused(self) -> bool:
        """Whether the host ended without having begun the command, though the connection lasts."""
        transport = self.stream.channel.get_transport()
        return not self.is_begun and transport is not None and bool(transport.is_active())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Complaining(_Marked):
    """Standard error, with a last line that says so where the command did not begin.

    Args:
        stdout: of the same command.
        host: its name.
    """

    def __init__(self, stream: Any, start: str, stdout: _Marked, host: str) -> None:
        super().__init__(stream, start)
        self.stdout = stdout
        self.host = host

    def __iter__(self) -> Iterator[str]:
        yield from super().__iter__()
        self.stdout.is_over.wait()
        if self.stdout.is_refused:
            printed = "\n".join(line for line in (*self.stdout.noise, *self.noise) if line)
            yield not_run(self.host, printed) + "\n"
        elif not self.is_begun:
            yield from (f"{line}\n" for line in self.noise)

    @property
    def channel(self) -> Any:
        """The channel, judged by standard output."""
        return self.stdout.channel


class _Verdict:
    """A channel whose exit code is none of a command that did not run."""

    def __init__(self, channel: Any, stdout: _Marked) -> None:
        self.channel = channel
        self.stdout = stdout

    def recv_exit_status(self) -> int:
        """The command's own, or that it did not run."""
        code: int = self.channel.recv_exit_status()
        self.stdout.is_over.wait()
        return NOT_RUN if self.stdout.is_refused else code

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)


class MarkedChannel:
    """A channel of which only what the command itself writes is read.

    Args:
        channel: on which nothing was run yet.
        host: its name.
    """

    def __init__(self, channel: Channel, host: str) -> None:
        self.channel = channel
        self.host = host
        self.start = new_mark()
        self.is_begun = False
        self.noise = b""

    def exec_command(self, command: str) -> None:
        """Run a command for any login shell."""
        self.channel.exec_command(sheltered(command, start=self.start))

    def recv(self, nbytes: int) -> bytes:
        """The next bytes that the command wrote; none at the end.

        Raises:
            SSHException: the login shell ran something else.
        """
        while not self.is_begun:
            data = self.channel.recv(nbytes)
            if not data:
                raise SSHException(not_run(self.host, self.noise.decode(errors="replace").strip()))
            before, mark, after = (self.noise + data).partition(f"{self.start}\n".encode())
            self.noise = before if mark else before[-64 * 1024 :]
            self.is_begun = bool(mark)
            if after:
                return after
        return self.channel.recv(nbytes)

    def recv_stderr(self, nbytes: int) -> bytes:
        """What the command wrote to standard error."""
        data = self.channel.recv_stderr(nbytes)
        before, mark, after = data.partition(f"{self.start}\n".encode())
        return after if mark else before

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)
