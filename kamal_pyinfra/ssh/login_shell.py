"""Commands through the login shells of hosts: what the shell prints is kept apart from what the command prints."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from gevent.event import Event
from paramiko import Channel, SSHException

from kamal_pyinfra.shell.login_shell import sheltered
from kamal_pyinfra.ssh.commands import Output, Wrapper
from kamal_pyinfra.ssh.patches import Execute, Streams
from kamal_pyinfra.text import one_line

NOT_RUN = 126  # what a shell exits with that found a command and could not run it (POSIX, 2.8.2)
KEPT_LINES = 20
SHOWN = 300


def in_any_login_shell(execute: Execute, host: str, command: str, *arguments: Any, **options: Any) -> Streams:
    """Make a command mean the same in any login shell of a host, and fail where the shell ran another."""
    start, end = _new_mark(), _new_mark()
    stdin, stdout, stderr = execute(sheltered(command, start=start, end=end), *arguments, **options)
    out, err = _Marked(stdout, start, end), _Marked(stderr, start)
    channel = _Verdict(stdout.channel, out)
    return stdin, Output(out, out, channel), Output(stderr, _with_complaint(err, out, host), channel)


def _not_run(host: str, printed: str) -> str:
    """What is wrong with a host whose login shell printed this instead of running a command."""
    what = f"printed `{one_line(printed)[:SHOWN]}`" if printed else "printed nothing"
    return f"commands do not run on {host}: the login shell or a ForceCommand {what}"


def _new_mark() -> str:
    """A word that nothing on a host can know before the command brings it there."""
    return f"kp-{secrets.token_hex(8)}"


class _Marked(Wrapper):
    """The lines of a stream between two marks, or from the first on if there is one alone; all others are noise."""

    def __init__(self, stream: Any, start: str, end: str = "") -> None:
        super().__init__(stream)
        self.start, self.end = start, end
        self.is_begun = False
        self.noise: list[str] = []
        self.is_over = Event()

    def __iter__(self) -> Iterator[str]:
        lines = iter(self.wrapped)
        try:
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
        finally:
            self.is_over.set()

    @property
    def is_refused(self) -> bool:
        """Whether the host ended without having begun the command, though the connection lasts."""
        transport = self.wrapped.channel.get_transport()
        return not self.is_begun and transport is not None and bool(transport.is_active())


def _with_complaint(stderr: _Marked, stdout: _Marked, host: str) -> Iterator[str]:
    """Standard error, with a message as last line where the command did not begin."""
    yield from stderr
    stdout.is_over.wait()
    if stdout.is_refused:
        yield _not_run(host, "\n".join(line for line in (*stdout.noise, *stderr.noise) if line)) + "\n"
    elif not stderr.is_begun:
        yield from (f"{line}\n" for line in stderr.noise)


class _Verdict(Wrapper):
    """A channel whose exit code is none of a command that did not run."""

    def __init__(self, channel: Any, stdout: _Marked) -> None:
        super().__init__(channel)
        self.stdout = stdout

    def recv_exit_status(self) -> int:
        code: int = self.wrapped.recv_exit_status()
        self.stdout.is_over.wait()
        return NOT_RUN if self.stdout.is_refused else code


class MarkedChannel(Wrapper):
    """A channel to a host on which nothing was run yet, and of which only what the command itself writes is read."""

    def __init__(self, channel: Channel, host: str) -> None:
        super().__init__(channel)
        self.host = host
        self.start = _new_mark()
        self.is_begun = False
        self.noise = b""

    def exec_command(self, command: str) -> None:
        """Run a command for any login shell."""
        self.wrapped.exec_command(sheltered(command, start=self.start))

    def recv(self, nbytes: int) -> bytes:
        """Return the next bytes that the command wrote, none at the end; SSHException if something else was run."""
        while not self.is_begun:
            data = self.wrapped.recv(nbytes)
            if not data:
                raise SSHException(_not_run(self.host, self.noise.decode(errors="replace").strip()))
            before, mark, after = (self.noise + data).partition(f"{self.start}\n".encode())
            self.noise = before if mark else before[-64 * 1024 :]
            self.is_begun = bool(mark)
            if after:
                return bytes(after)
        return bytes(self.wrapped.recv(nbytes))

    def recv_stderr(self, nbytes: int) -> bytes:
        """Return what the command wrote to standard error."""
        before, mark, after = self.wrapped.recv_stderr(nbytes).partition(f"{self.start}\n".encode())
        return bytes(after if mark else before)
