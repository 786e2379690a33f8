"""Waiting for a held lock."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.errors import HostFailed, LockHeld
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner import lock as locked
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.shell import lock as commands
from tests.commands.builders import golden_config, new_run

CONFIG = """
service: shop
image: shop
servers: [192.0.2.1]
registry: {username: a, password: [KAMAL_REGISTRY_PASSWORD]}
"""
PRIMARY = "192.0.2.1"
THEIRS = commands.details(
    locked_by="Ann", at="T", version="v1", message="Automatic deploy lock", holder="ci 9 x", command="deploy"
)
OTHERS = commands.details(locked_by="Bob", at="T", version="v1", message="Automatic deploy lock", holder="ci 10 x")


class Clock:
    """Moved by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.1)


class State:
    """Only its identity counts."""


class Session:
    """A primary host that answers attempts to lock, and looks at the lock in between."""

    def __init__(self, run: Any, attempts: list[str | None], looks: list[str]) -> None:
        self.run = run
        self.state = State()
        self.failures: dict[str, HostFailure] = {}
        self.attempts = attempts
        self.answers = looks
        self.looks: dict[str, Any] = {}
        self.released = 0
        self.unlocks: list[bool | None] = []

    def readmit(self) -> None: ...

    def is_active(self, name: str) -> bool:
        """Unless the next attempt to unlock finds no connection."""
        assert name == PRIMARY
        if self.unlocks and self.unlocks[0] is None:
            self.unlocks.pop(0)
            return False
        return True

    def execute(self, command: str, hosts: list[str]) -> dict[str, Any]:
        assert (command, hosts) == (commands.state(".kamal/locks/shop"), [PRIMARY])
        seen = self.answers.pop(0)
        lines = [
            "unknown",
            "free",
            *([f"{commands.STATE} {seen}"] if seen else []),
        ]  # a login shell may print the first
        return {PRIMARY: (True, SimpleNamespace(stdout_lines=lines))}

    def phase(self, name: str, _: object, *, hosts: list[str]) -> bool:
        if name == "unlock":
            if self.unlocks and not self.unlocks.pop(0):
                self.failures[PRIMARY] = HostFailure(host=PRIMARY, phase="unlock", operation="Unlock", output=("no",))
                return False
            self.released += 1
            return True
        said = self.attempts.pop(0)
        if said is not None:
            self.failures[PRIMARY] = HostFailure(host=PRIMARY, phase="lock", operation="", output=(said,))
        return said is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(locked, "time", clock)
    monkeypatch.setattr(locked, "gevent", clock)
    monkeypatch.setattr(locked, "forget", lambda _: None)
    monkeypatch.setattr(locked.lease, "end", lambda _: None)
    return clock


def held(content: str = THEIRS, left: str = "60") -> str:
    return f"{commands.HELD} {content} {left}"


def lock_with(wait: int | None, attempts: list[str | None], looks: list[str]) -> tuple[Session, list[str]]:
    """Take the lock, and give it back."""
    session = Session(replace(new_run(golden_config(CONFIG), "v1"), lock_wait=wait), attempts, looks)
    warned: list[str] = []
    steps: Any = SimpleNamespace(session=session, phase=session.phase, report=SimpleNamespace(warned=warned.append))
    with locked.locked(steps):
        assert not session.released
    assert (session.attempts, session.answers, session.released) == ([], [], 1)
    return session, warned


def test_a_free_lock_is_taken_without_a_word(clock):
    assert lock_with(None, [None], [])[1] == []


@pytest.mark.parametrize("wait", [None, 0])
def test_who_does_not_wait_is_told_at_once_who_holds_it(clock, wait):
    with pytest.raises(LockHeld, match="held by Ann at T"):
        lock_with(wait, [held()], [])
    assert clock.now == 0


def test_who_waits_gets_it_as_soon_as_it_is_free(clock):
    session, warned = lock_with(60, [held(), None], [f"{THEIRS} 59", f"{THEIRS} 58", ""])
    assert warned == ["waiting up to 60 s for the deploy lock held by `deploy` of Ann at T"]
    assert session.failures == {}


def test_who_waits_takes_over_what_becomes_stale(clock):
    lock_with(60, [held(left="2"), None], [f"{THEIRS} 1", f"{THEIRS} 0"])


def test_when_somebody_else_was_quicker_the_waiting_goes_on_for_him(clock):
    _, warned = lock_with(60, [held(), held(OTHERS), None], ["", f"{OTHERS} 60", ""])
    assert [text.rpartition(" held by ")[2] for text in warned] == ["`deploy` of Ann at T", "Bob at T"]


def test_a_lock_that_goes_from_hand_to_hand_is_tried_when_it_is_free(clock):
    _, warned = lock_with(60, [held(), None], [f"{OTHERS} 60", f"{OTHERS} 59", f"{THEIRS} 60", ""])
    assert [text.rpartition(" held by ")[2] for text in warned] == [
        "`deploy` of Ann at T",
        "Bob at T",
        "`deploy` of Ann at T",
    ]


def test_waiting_ends(clock):
    with pytest.raises(LockHeld, match="waited 3 s"):
        lock_with(3, [held(), held()], [f"{THEIRS} 60"] * 9)
    assert 3 <= clock.now < 5


def test_a_lock_that_cannot_be_taken_for_another_reason_is_not_waited_for(clock):
    with pytest.raises(HostFailed, match="No space left"):
        lock_with(60, ["mkdir: No space left on device"], [])


@pytest.mark.parametrize(
    ("holder", "is_cleared"),
    [("this-machine 9 gone", True), ("this-machine 10 here", False), ("elsewhere 9 gone", False), ("", False)],
)
def test_a_run_without_changes_clears_the_lock_of_a_process_that_is_gone_and_no_other(
    monkeypatch: pytest.MonkeyPatch, holder: str, is_cleared: bool
) -> None:
    monkeypatch.setattr("kamal_pyinfra.operations.lock.is_dead", lambda found: found == "this-machine 9 gone")
    lock = LockDetails(content="text", locked_by="Ann", version="v1", message="m", holder=holder) if holder else None
    sent: list[tuple[str, list[str]]] = []
    session = SimpleNamespace(
        run=new_run(golden_config(CONFIG), "v1"),
        looks={PRIMARY: SimpleNamespace(lock=lock)},
        execute=lambda command, hosts: sent.append((command, hosts)),
    )
    locked.clear_left_behind(session)
    clearing = commands.take_over(".kamal/locks/shop", "text", is_expired=False)
    assert sent == ([(clearing, [PRIMARY])] if is_cleared else [])


def unlocking(
    *unlocks: bool | None, inside: Exception | None = None, warned: list[str] | None = None
) -> tuple[Session, list[str]]:
    """Hold the lock for nothing, or for what fails, with these attempts to give it back; ``None``: no connection."""
    session = Session(new_run(golden_config(CONFIG), "v1"), [None], [])
    session.unlocks = list(unlocks)
    warned = [] if warned is None else warned
    steps: Any = SimpleNamespace(session=session, phase=session.phase, report=SimpleNamespace(warned=warned.append))
    try:
        with locked.locked(steps):
            if inside is not None:
                raise inside
    finally:
        assert session.unlocks == []
    return session, warned


@pytest.mark.parametrize("first", [False, None])
def test_a_lock_that_is_not_given_back_at_first_is_given_back_at_the_second_attempt(clock, first):
    session, warned = unlocking(first, True)
    assert (session.released, session.failures, warned) == (1, {}, [])


@pytest.mark.parametrize("why", [(False, "unlock: Unlock)\n  no"), (None, "unlock)\n  it cannot be reached")], ids=repr)
def test_a_lock_that_cannot_be_given_back_fails_the_run(clock, why):
    attempt, said = why
    with pytest.raises(HostFailed) as failed:
        unlocking(attempt, attempt)
    assert str(failed.value) == (
        f"{PRIMARY} failed ({said}\n{locked.NOT_RELEASED}\nRun the same command again once the cause is mended."
    )


def test_what_failed_before_is_what_the_run_ends_with_and_the_lock_is_told(clock):
    warned: list[str] = []
    with pytest.raises(ValueError, match="before"):
        unlocking(False, None, inside=ValueError("before"), warned=warned)
    assert warned == [f"{PRIMARY}: {locked.NOT_RELEASED}\n  it cannot be reached"]
