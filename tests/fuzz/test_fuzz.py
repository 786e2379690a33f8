"""Whatever a file or a host says: a value, or lines that name the place. Never a traceback, never a hang."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import inputs
from tests.fuzz.targets import TARGETS

CASES = {"config": 2500, "env": 3000, "snapshot": 2500, "plan-file": 2000}
FAR_TOO_LONG = 20


class TookTooLong(AssertionError):
    """A reader hangs."""


@contextmanager
def bounded() -> Iterator[None]:
    """End a case that hangs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(FAR_TOO_LONG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CASES)
def test_no_input_ends_in_a_traceback_or_a_hang(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target, seen = TARGETS[name], 0
    profile = settings(
        max_examples=CASES[name],
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

    @profile
    @given(data=st.data())
    def read(data: st.DataObject) -> None:
        nonlocal seen
        seen += 1
        with bounded():
            target.read(data.draw(strategy))

    strategy = inputs(target)
    read()
    assert seen >= CASES[name]


def test_ten_thousand_cases_are_read() -> None:
    assert sum(CASES.values()) >= 10_000


@pytest.mark.parametrize("name", CASES)
def test_every_seed_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in TARGETS[name].seeds():
        TARGETS[name].read(seed)
