"""Lines that hosts print while they work."""

from __future__ import annotations

import pytest

from kamal_pyinfra.runner.progress.events import AnyEvent, Waiting, Warned
from kamal_pyinfra.runner.progress.report import Report

LOG = '"2026-05-01T10:00:00.123456789Z" "2026-05-01T10:00:00.135456789Z"'


class Heard:
    """A report, and what it makes of the lines of hosts after 1.5 seconds."""

    def __init__(self, phase: str) -> None:
        times = iter([100.0])
        self.events: list[AnyEvent] = []
        self.report = Report([self.events.append], clock=lambda: next(times, 101.5))
        self.report.phase_began(phase)

    def event(self, host: str, line: str) -> AnyEvent | None:
        """What a line means, if anything."""
        self.events.clear()
        self.report.host_output(host, line)
        assert len(self.events) <= 1
        return self.events[0] if self.events else None


def waiting(line: str) -> str:
    event = Heard("boot").event("web1", f"kp-waiting shop-web-v2 {line}")
    assert isinstance(event, Waiting)
    assert (event.event, event.at, event.host) == ("waiting", 1.5, "web1")
    assert event.subject == "shop-web-v2"
    return event.what


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f'2 28 1000000000 {LOG} 22 "curl: (22) The requested URL returned error: 503\\n"', "2/28: 503 in 12 ms"),
        (
            f'1 28 10000000000 {LOG} 7 "  %%\\r 0\\ncurl: (7) Failed to connect"',
            "1/3: curl: (7) Failed to connect in 12 ms",
        ),
        (f'3 60 0 {LOG} 1 ""', "3/3: exit code 1 in 12 ms"),
        (f'9 2 1000000000 {LOG} 0 "OK"', "9/9: passed in 12 ms"),
        (f'1 5 1000000000 {LOG} -1 "\\u001b[31mred\\u0007"', "1/5: red in 12 ms"),
        (f'1 5 1000000000 {LOG} 1 "{"x" * 500}"', f"1/5: {'x' * 60} in 12 ms"),
    ],
)
def test_a_health_check_is_told_by_its_status_or_last_line(line: str, what: str) -> None:
    assert waiting(line) == f"health check {what}"


@pytest.mark.parametrize(
    "line",
    [
        "kp-waiting",
        "kp-waiting shop-web-v2 1 28",
        f'kp-waiting shop-web-v2 x 28 1000000000 {LOG} 0 ""',
        'kp-waiting shop-web-v2 1 28 1000000000 "yesterday" "today" 0 ""',
        f"kp-waiting shop-web-v2 1 28 1000000000 {LOG} 0 not-json",
        "0123456789ab: something else",
        "0123456789AB: Pull complete",
        "Status: Downloaded newer image",
        "",
    ],
)
def test_whatever_else_a_host_prints_says_nothing(line: str) -> None:
    assert Heard("prepare").event("web1", line) is None


def test_layers_are_counted_for_each_host_and_only_news_is_told() -> None:
    heard = Heard("prepare")
    lines = ["a" * 12 + ": Pulling fs layer", "b" * 12 + ": Already exists", "a" * 12 + ": Waiting"]
    told = [heard.event("web1", line) for line in [*lines, "a" * 12 + ": Pull complete"]]
    assert [event and (event.layers, event.of) for event in told] == [(0, 1), (1, 2), None, (2, 2)]  # type: ignore[union-attr]
    other = heard.event("web2", "a" * 12 + ": Pulling fs layer")
    assert other is not None
    assert other.host == "web2"


def test_a_note_is_a_warning_of_the_phase_in_which_it_came() -> None:
    event = Heard("switch").event("web1", "kp-note shop-web-v1: is there")
    assert isinstance(event, Warned)
    assert (event.phase, event.text) == ("switch", "web1: shop-web-v1: is there")
