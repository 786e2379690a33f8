"""Lines in pieces, hostile lines, and no line twice after a lost connection."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kamal_pyinfra.commands.logs import LogFilter
from kamal_pyinfra.runner.log_lines import LONGEST_LINE, LogLine, Position, by_time, lines_of

ONE, TWO, THREE = (f"2026-05-01T10:00:0{second}.000000000Z" for second in (1, 2, 3))


class Pieces:
    """Bytes in pieces, as a connection brings them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = list(pieces)

    def recv(self, nbytes: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_whole_however_they_come(size):
    text = "a\nßeta\n\nc".encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(lines_of(Pieces(pieces))) == ["a", "ßeta", "", "c"]


def test_nothing_in_a_line_is_obeyed_by_a_terminal():
    assert list(lines_of(Pieces([b"\x1b[31mred\x1b[0m \x07\xff\r\n"]))) == ["red �"]


def test_a_line_without_end_takes_no_memory_without_end():
    found = list(lines_of(Pieces([b"x" * 40_000] * 4 + [b"\n"])))
    assert "".join(found) == "x" * 160_000
    assert max(map(len, found)) <= LONGEST_LINE + 40_000


def test_reading_goes_on_after_the_last_line_that_was_seen():
    position = Position(LogFilter(lines=10, grep="x"))
    assert position.filter() == LogFilter(lines=10, grep="x")
    assert list(position.unseen(iter([f"{ONE} x", f"{TWO} x"]))) == [f"{ONE} x", f"{TWO} x"]
    assert position.filter() == LogFilter(since=TWO, grep="x")
    assert list(position.unseen(iter([f"{TWO} x", f"{THREE} x"]))) == [f"{THREE} x"]
    assert position.filter() == LogFilter(since=THREE, grep="x")


def test_two_lines_of_one_moment_both_count():
    assert list(Position(LogFilter()).unseen(iter([f"{ONE} a", f"{ONE} b"]))) == [f"{ONE} a", f"{ONE} b"]


def test_lines_without_time_are_shown_and_a_complaint_once():
    position = Position(LogFilter())
    error = "Error response from daemon: configured logging driver does not support reading"
    assert list(position.unseen(iter([error]))) == [error]
    assert list(position.unseen(iter([error]))) == []
    assert list(position.unseen(iter(["--", "--"]))) == ["--", "--"]


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
