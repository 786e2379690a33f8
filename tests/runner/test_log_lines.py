"""Lines in pieces, hostile lines, and no line twice after a lost connection."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kamal_pyinfra.runner.queries.log_lines import LONGEST_LINE, LogLine, Pieces, Position, by_time, byte_lines
from kamal_pyinfra.shell.logs import LogFilter

ONE, TWO, THREE = (f"2026-05-01T10:00:0{second}.000000000Z" for second in (1, 2, 3))


class Chunks:
    """Bytes in pieces, as a connection brings them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = list(pieces)

    def recv(self, nbytes: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def unseen(position: Position, lines: Iterable[str]) -> list[str]:
    position.begin()
    return [line for line in lines if position.is_new(line)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_whole_however_they_come(size):
    text = "a\nßeta\n\nc".encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(byte_lines(Chunks(pieces).recv)) == [b"a", "ßeta".encode(), b"", b"c"]


def test_nothing_in_a_line_is_obeyed_by_a_terminal():
    assert list(Pieces(100).add(b"\x1b[31mred\x1b[0m \x07\xff\r")) == ["red �"]


def test_a_line_without_end_takes_no_memory_without_end():
    found = list(byte_lines(Chunks([b"x" * 40_000] * 4 + [b"\n"]).recv))
    assert b"".join(found) == b"x" * 160_000
    assert max(map(len, found)) <= LONGEST_LINE + 40_000


def test_reading_goes_on_after_the_last_line_that_was_seen():
    position = Position(LogFilter(lines=10, grep="x"))
    assert position.filter() == LogFilter(lines=10, grep="x")
    assert unseen(position, [f"{ONE} x", f"{TWO} x"]) == [f"{ONE} x", f"{TWO} x"]
    assert position.filter() == LogFilter(since=TWO, grep="x")
    assert unseen(position, [f"{TWO} x", f"{THREE} x"]) == [f"{THREE} x"]
    assert position.filter() == LogFilter(since=THREE, grep="x")


def test_two_lines_of_one_moment_both_count():
    assert unseen(Position(LogFilter()), [f"{ONE} a", f"{ONE} b"]) == [f"{ONE} a", f"{ONE} b"]


def test_lines_without_time_are_shown_and_a_complaint_once():
    position = Position(LogFilter())
    error = "Error response from daemon: configured logging driver does not support reading"
    assert unseen(position, [error]) == [error]
    assert unseen(position, [error]) == []
    assert unseen(position, ["--", "--"]) == ["--", "--"]


def written(container: str, text: str) -> LogLine:
    return LogLine(host="web1", container=container, label="web", text=text)


def test_lines_of_many_containers_are_merged_by_time():
    old = [written("v1", f"{ONE} a"), written("v1", "Traceback"), written("v1", f"{THREE} c")]
    new = [written("v2", f"{TWO} b"), written("v2", f"{THREE} d")]
    assert [line.message for line in by_time([*old, *new])] == ["a", "Traceback", "b", "c", "d"]


def test_a_line_is_its_time_and_its_message():
    line = written("v1", f"{ONE}   indented")
    assert (line.time, line.message) == (ONE, "  indented")
    assert (written("v1", "--").time, written("v1", "--").message) == ("", "--")


def whole(*pieces: bytes) -> list[str]:
    """What ten bytes at once give, without what is held back."""
    container = Pieces(10)
    return [line for piece in pieces for line in container.add(piece)]


def test_a_line_that_comes_in_pieces_is_put_together():
    assert whole(b"0123456789", b"0123456\xc3", b"x") == ["01234567890123456\ufffd", "x"]
    assert whole(b"012345678\xc3", b"\xa9!") == ["012345678\xe9!"]
    assert whole(b"", b"one") == ["", "one"]


def test_a_line_as_long_as_a_piece_is_not_joined_with_the_next_and_not_held_for_long():
    container = Pieces(10)
    assert list(container.add(b"0123456789")) == []
    assert list(container.add(f"{ONE} b".encode()[:35])) == ["0123456789"]
    container = Pieces(10)
    assert [*container.add(b"0123456789"), *container.tick()] == []
    assert list(container.tick()) == ["0123456789"]
    assert [*container.tick(), *container.rest()] == []


def test_what_a_container_shows_again_after_a_restart_is_left_out():
    position = Position(LogFilter())
    assert unseen(position, [f"{ONE} a", f"{ONE} b", f"{TWO} c"]) == [f"{ONE} a", f"{ONE} b", f"{TWO} c"]
    again = [f"{ONE} b", f"{TWO} c", f"{THREE} d", f"{THREE} e"]
    assert unseen(position, again) == [f"{THREE} d", f"{THREE} e"]
