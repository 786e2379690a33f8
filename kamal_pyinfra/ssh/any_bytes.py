"""Output of a host: read whatever bytes it is, and not more of it than a machine has memory for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from paramiko import SSHClient, SSHException
from paramiko.channel import ChannelFile

CHUNK = 1 << 15
LONGEST_LINE = 4 << 20
"""What is longer comes in pieces."""
MOST_BYTES = 32 << 20
"""Of one command, on each of its streams."""


class AnyBytes:
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


def read_any_bytes(client: SSHClient) -> None:
    """Let every later command of a connection say what it wants, and fail as pyinfra expects when it has ended."""
    if not isinstance(client.exec_command, partial):
        client.exec_command = partial(_exec_command, client.exec_command)  # type: ignore[assignment] # for this client alone


def _exec_command(original: Any, *arguments: Any, **options: Any) -> tuple[Any, AnyBytes, AnyBytes]:
    try:
        stdin, stdout, stderr = original(*arguments, **options)
    except EOFError as error:  # the other side hung up while the command was on its way; pyinfra does not catch it
        raise SSHException("the connection ended") from error
    return stdin, AnyBytes(stdout), AnyBytes(stderr)
