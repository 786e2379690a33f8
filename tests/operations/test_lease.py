"""The lease of the lock: renewed in time, and lost when somebody else has it or nobody answers."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from pyinfra.api.exceptions import PyinfraError

from kamal_pyinfra.errors import Interrupted, LockLost
from kamal_pyinfra.operations import lease
from kamal_pyinfra.operations.lease import SECONDS, Lease


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self, clock: int) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease.time, "clock_gettime", clock)
    return clock


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lease]:
    """A lease that never renews by itself, or does so at once."""

    def make(renew: Callable[[], bool], *, at_once: bool = False) -> Lease:
        monkeypatch.setattr(
            lease.gevent, "spawn_later", lambda _, function: gevent.spawn(function) if at_once else gevent.Greenlet()
        )
        kept = Lease()
        kept.begin(renew)
        return kept

    return make


def answers(*given: bool | BaseException | None) -> Callable[[], bool]:
    """One answer after the other; ``None`` for no connection. One more than given is an error of the test."""
    left = list(given)

    def renew() -> bool:
        answer = left.pop(0)
        if answer is None:
            raise OSError("gone")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return renew


def test_a_young_lease_is_asked_nothing(clock, make):
    held = make(answers())
    clock.now += SECONDS - 1
    held.require()


def test_an_old_lease_is_renewed_before_anything_else_is_done(clock, make):
    held = make(answers(True))
    clock.now += SECONDS
    held.require()
    clock.now += SECONDS - 1
    held.require()


NO_TRANSPORT = AttributeError("'NoneType' object has no attribute 'open_session'")


@pytest.mark.parametrize("answer", [False, None, NO_TRANSPORT, PyinfraError("x"), EOFError(), RuntimeError()], ids=repr)
def test_an_old_lease_that_cannot_be_renewed_ends_the_run(clock, make, answer):
    held = make(answers(answer))
    clock.now += SECONDS
    with pytest.raises(LockLost):
        held.require()


def test_without_an_answer_the_lease_still_lasts_its_time(clock, make):
    held = make(answers(None), at_once=True)
    clock.now += SECONDS / 3
    gevent.sleep(0)
    held.require()
    held.end()


def test_a_lock_that_was_taken_away_ends_the_run_as_soon_as_that_is_known(clock, make):
    held = make(answers(False), at_once=True)
    gevent.sleep(0)
    with pytest.raises(LockLost, match="kp lock status"):
        held.require()


def test_after_the_end_nothing_is_renewed(clock, make):
    held = make(answers(), at_once=True)
    greenlet = held._greenlet
    held.end()
    gevent.sleep(0)
    assert not greenlet


def test_whatever_goes_wrong_the_lease_is_asked_for_again_and_lives_when_the_host_is_back(clock, make, monkeypatch):
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += 30 if len(slept) < 3 else 0
        if len(slept) == 4:
            raise gevent.GreenletExit

    held = make(answers(NO_TRANSPORT, RuntimeError("any"), True, True), at_once=True)
    with monkeypatch.context() as patch:
        patch.setattr(lease.gevent, "sleep", sleep)
        held._greenlet.join()
    assert slept == [5, 5, SECONDS / 3, SECONDS / 3]
    clock.now += SECONDS - 1
    held.require()


def test_a_signal_while_the_lease_is_asked_for_is_no_failure_to_ask(clock, make):
    held = make(answers(Interrupted(2)))
    clock.now += SECONDS
    with pytest.raises(Interrupted):
        held.require()


def test_the_lease_counts_from_before_the_lock_was_asked_for(clock, monkeypatch):
    """An answer that takes a minute leaves a minute: the host counts from when it took the lock."""
    monkeypatch.setattr(lease.gevent, "spawn_later", lambda _, function: gevent.Greenlet())
    held, given = Lease(), [OSError("gone")]
    held.ask()
    clock.now += SECONDS / 2
    held.begin(answers(*given))
    clock.now += SECONDS / 2 - 1
    held.require()
    clock.now += 1
    with pytest.raises(LockLost):
        held.require()
    held.end()
