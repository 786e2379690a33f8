"""Output of a host that is not UTF-8: read as far as it can be, instead of being lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from paramiko import SSHClient, SSHException
from paramiko.channel import ChannelFile


class AnyBytes:
    """Lines of a stream in which a byte that is no text becomes a replacement character.

    Args:
        stream: of paramiko, whose own lines end with an error at such a byte.
    """

    def __init__(self, stream: ChannelFile) -> None:
        stream._flags |= stream.FLAG_BINARY  # type: ignore[attr-defined]  # it then gives lines as bytes
        self.stream = stream

    def __iter__(self) -> Iterator[str]:
        for line in self.stream:
            yield line.decode(errors="replace")

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
