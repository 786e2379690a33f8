"""Lines of several hosts in the order of time, though they come when they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.runner.queries.follow import Merged
from kamal_pyinfra.runner.queries.log_lines import LogLine


class Reader:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, line: LogLine) -> None:
        self.lines.append(f"{line.host} {line.message}")

    def notice(self, host: str, text: str) -> None:
        self.lines.append(f"{host}: {text}")


def at(second: int, host: str, message: str = "") -> LogLine:
    text = f"2026-05-01T10:00:{second:02}.000000000Z {message or second}"
    return LogLine(host=host, container="shop-web-v1", label="web", text=text)


def test_a_line_that_comes_later_but_was_written_earlier_comes_first() -> None:
    reader = Reader()
    merged = Merged(reader.line, reader.notice)
    for line in (at(1, "a"), at(3, "a")):
        merged.line(line)
    merged.tick()
    assert reader.lines == []
    for line in (at(2, "b"), at(4, "b")):
        merged.line(line)
    merged.tick()
    assert reader.lines == ["a 1", "b 2", "a 3"]
    merged.tick()
    assert reader.lines == ["a 1", "b 2", "a 3", "b 4"]


def test_a_line_without_time_stays_behind_its_container_s_line() -> None:
    reader = Reader()
    merged = Merged(reader.line, reader.notice)
    untimed = LogLine(host="a", container="shop-web-v1", label="web", text="--")
    for line in (at(3, "a"), untimed, at(1, "b")):
        merged.line(line)
    merged.tick(is_last=True)
    assert reader.lines == ["b 1", "a 3", "a --"]


def test_a_notice_does_not_wait() -> None:
    reader = Reader()
    merged = Merged(reader.line, reader.notice)
    merged.line(at(1, "a"))
    merged.notice("b", "lost")
    assert reader.lines == ["b: lost"]


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 59)))))
def test_no_line_is_lost_or_told_twice_and_none_waits_for_a_third_tick(ticks: list[list[tuple[str, int]]]) -> None:
    reader = Reader()
    merged = Merged(reader.line, reader.notice)
    came: list[str] = []
    for lines in ticks:
        before = list(came)
        for number, (host, second) in enumerate(lines):
            message = f"{len(came)}-{number}"
            merged.line(at(second, host, message))
            came.append(f"{host} {message}")
        merged.tick()
        assert set(before) <= set(reader.lines)
    merged.tick(is_last=True)
    assert sorted(reader.lines) == sorted(came)
