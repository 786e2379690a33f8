"""Output of a host: read whatever bytes it is, and not more of it than a machine has memory for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from paramiko import SSHException
from paramiko.channel import ChannelFile

from kamal_pyinfra.ssh.patches import Execute

CHUNK = 1 << 15
LONGEST_LINE = 4 << 20
"""What is longer comes in pieces."""
MOST_BYTES = 32 << 20
"""Of one command, on each of its streams."""


class LenientOutput:
    """Lines of a stream in which a byte that is no text becomes a replacement character.

    Args:
        stream: of paramiko, whose own lines end with an error at such a byte, and may be endless.
    """

    def __init__(self, stream: ChannelFile) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[str]:
        """Lines with their ends; where there is too much the command is ended, and the last line says so."""
        parts, waiting, total = list[bytes](), 0, 0
        while data := self.stream._read(CHUNK):  # type: ignore[attr-defined]  # as its own lines do
            total += len(data)
            if total > MOST_BYTES:
                self.stream.channel.close()
                yield f"It printed more than {MOST_BYTES >> 20} MiB and was ended.\n"
                return
            *whole, rest = data.split(b"\n")
            if whole or waiting + len(rest) > LONGEST_LINE:
                lines = [b"".join([*parts, whole[0]]), *whole[1:]] if whole else [b"".join([*parts, rest])]
                yield from (f"{line.decode(errors='replace')}\n" for line in lines)
                parts, waiting = ([rest], len(rest)) if whole else ([], 0)
            else:
                parts.append(rest)
                waiting += len(rest)
        if last := b"".join(parts):
            yield last.decode(errors="replace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def lenient(execute: Execute) -> Execute:
    """Commands whose output may be any bytes, and that fail as pyinfra expects when the connection has ended."""

    def run(*arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        try:
            stdin, stdout, stderr = execute(*arguments, **options)
        except EOFError as error:  # the other side hung up while the command was on its way; pyinfra does not catch it
            raise SSHException("the connection ended") from error
        return stdin, LenientOutput(stdout), LenientOutput(stderr)

    return run


class TeeOutput:
    """What a command prints, each line passed on as it comes."""

    def __init__(self, stream: Any, on_line: Callable[[str], None]) -> None:
        self.stream = stream
        self.on_line = on_line

    def __iter__(self) -> Iterator[str]:
        for line in self.stream:
            self.on_line(line.rstrip("\n"))
            yield line

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def passed_on(execute: Execute, on_line: Callable[[str], None]) -> Execute:
    """Commands whose lines of standard output are passed on while they run; pyinfra shows them when they are over."""

    def run(*arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        stdin, stdout, stderr = execute(*arguments, **options)
        return stdin, TeeOutput(stdout, on_line), stderr

    return run
