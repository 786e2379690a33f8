"""Bytes that are no text do not cost the rest of what a host says."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paramiko import SSHException
from paramiko.file import BufferedFile

from kamal_pyinfra.ssh.commands import CHUNK, LONGEST_LINE, MOST_BYTES, lenient, lenient_lines


class Stream(BufferedFile):
    channel = "the channel"

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = BytesIO(data)
        self._set_mode("r")

    def _read(self, size: int) -> bytes:
        return self.data.read(size)


class Channel:
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Endless(Stream):
    """Without a line end; what is read of it is counted."""

    def __init__(self, data: bytes = b"x" * 100_000) -> None:
        super().__init__(b"")
        self.data, self.channel, self.given = BytesIO(data * 1000), Channel(), 0  # type: ignore[assignment]

    def _read(self, size: int) -> bytes:
        data = b"" if self.channel.is_closed else self.data.read(size)  # type: ignore[attr-defined]
        self.given += len(data)
        return data


def test_output_without_a_line_end_is_read_in_pieces_and_not_for_ever() -> None:
    stream = Endless()
    *lines, last = lenient_lines(stream)
    assert max(map(len, lines)) <= LONGEST_LINE + CHUNK + 1
    assert sum(map(len, lines)) <= stream.given + len(lines)
    assert stream.given <= MOST_BYTES + CHUNK
    assert last == "It printed more than 32 MiB and was ended.\n"
    assert stream.channel.is_closed  # type: ignore[attr-defined]


def test_output_of_many_lines_is_not_read_for_ever() -> None:
    *_, last = lenient_lines(Endless(b"a line\n" * 10_000))
    assert last == "It printed more than 32 MiB and was ended.\n"


@given(pieces=st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"a\n", b"\r\n"])), size=st.integers(1, 9))
def test_lines_are_those_of_the_bytes_however_they_come(pieces: list[bytes], size: int) -> None:
    class Small(Stream):
        def _read(self, _: int) -> bytes:
            return self.data.read(size)

    whole = b"".join(pieces)
    expected = [f"{line.decode(errors='replace')}\n" for line in whole.split(b"\n")[:-1]]
    rest = whole.split(b"\n")[-1].decode(errors="replace")
    assert list(lenient_lines(Small(whole))) == expected + ([rest] if rest else [])


class Client:
    def exec_command(self, command: str, **_: Any) -> tuple[None, Stream, Stream]:
        return None, Stream(b"caf\xe9 one\ncaf\xc3\xa9 two\n"), Stream(b"\xff\nwhat else it says\n")


def test_lines_that_are_not_utf_8_are_read_as_far_as_they_can_be() -> None:
    _, stdout, stderr = lenient(Client().exec_command, "x", get_pty=False)
    assert list(stdout) == ["caf\ufffd one\n", "caf\xe9 two\n"]
    assert list(stderr) == ["\ufffd\n", "what else it says\n"]
    assert stdout.channel == "the channel"


def test_a_connection_that_ends_under_a_command_fails_as_pyinfra_expects() -> None:
    class Ended:
        def exec_command(self, command: str, **_: Any) -> None:
            raise EOFError

    with pytest.raises(SSHException, match="the connection ended"):
        lenient(Ended().exec_command, "x", get_pty=False)
