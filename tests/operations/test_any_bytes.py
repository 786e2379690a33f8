"""Bytes that are no text do not cost the rest of what a host says."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from paramiko import SSHException
from paramiko.file import BufferedFile

from kamal_pyinfra.operations.any_bytes import read_any_bytes


class Stream(BufferedFile):
    channel = "the channel"

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = BytesIO(data)
        self._set_mode("r")

    def _read(self, size: int) -> bytes:
        return self.data.read(size)


class Client:
    def exec_command(self, command: str, **_: Any) -> tuple[None, Stream, Stream]:
        return None, Stream(b"caf\xe9 one\ncaf\xc3\xa9 two\n"), Stream(b"\xff\nwhat else it says\n")


def test_lines_that_are_not_utf_8_are_read_as_far_as_they_can_be() -> None:
    client: Any = Client()
    for _ in range(2):  # a second look at the same connection changes nothing
        read_any_bytes(client)
    _, stdout, stderr = client.exec_command("x", get_pty=False)
    assert list(stdout) == ["caf\ufffd one\n", "caf\xe9 two\n"]
    assert list(stderr) == ["\ufffd\n", "what else it says\n"]
    assert stdout.channel == "the channel"


def test_a_connection_that_ends_under_a_command_fails_as_pyinfra_expects() -> None:
    class Ended:
        def exec_command(self, command: str, **_: Any) -> None:
            raise EOFError

    client: Any = Ended()
    read_any_bytes(client)
    with pytest.raises(SSHException, match="the connection ended"):
        client.exec_command("x", get_pty=False)
