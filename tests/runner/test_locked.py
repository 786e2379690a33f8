"""The lock around a command: who has it is named, and it is given back whatever happens."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.errors import HostFailed, LockHeld
from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.operations.run_state import LockAttempt, run_state
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner import lock as locked
from kamal_pyinfra.runner import session
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.shell import lock as commands
from tests.shell.builders import golden_config, new_run

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
TAKEN = LockAttempt(is_taken=True)


class State:
    """No host has failed."""

    def __init__(self) -> None:
        self.failed_hosts: set[Any] = set()
        self.active_hosts: set[Any] = set()


class Session(session.Session):
    """A primary host that answers attempts to lock and to unlock."""

    def __init__(self, run: Any, attempt: LockAttempt = TAKEN) -> None:
        self.run = run
        self.state = State()
        self.failures: dict[str, HostFailure] = {}
        self.attempt = attempt
        self.snapshots: dict[str, Any] = {}
        self.report: Any = None
        self.released = 0
        self.unlocks: list[bool | None] = []

    def is_active(self, name: str) -> bool:
        """Unless the next attempt to unlock finds no connection."""
        assert name == PRIMARY
        if self.unlocks and self.unlocks[0] is None:
            self.unlocks.pop(0)
            return False
        return True

    def phase(self, name: str, _: object, *, hosts: list[str], on_wait: Any = None) -> bool:
        assert hosts == [PRIMARY]
        if name == "unlock":
            if self.unlocks and not self.unlocks.pop(0):
                self.failures[PRIMARY] = HostFailure(host=PRIMARY, phase="unlock", operation="Unlock", output=("no",))
                return False
            self.released += 1
            return True
        assert on_wait is not None
        self.on_wait = on_wait
        run_state(self.state).lock = self.attempt
        if not self.attempt.is_taken:
            self.failures[PRIMARY] = HostFailure(host=PRIMARY, phase="lock", operation="Lock", output=("log",))
        return self.attempt.is_taken


def lock_with(attempt: LockAttempt, wait: int | None = None) -> tuple[Session, list[str]]:
    """Take the lock, and give it back."""
    session = Session(replace(new_run(golden_config(CONFIG), "v1"), lock_wait=wait), attempt)
    warned: list[str] = []
    session.report = SimpleNamespace(warned=warned.append)
    with locked.locked(session):  # type: ignore[arg-type]
        assert not session.released
    assert session.released == 1
    return session, warned


def test_a_free_lock_is_taken_and_given_back_without_a_word() -> None:
    session, warned = lock_with(TAKEN)
    assert (session.failures, warned) == ({}, [])


def test_what_is_waited_for_is_a_warning() -> None:
    session, warned = lock_with(TAKEN, wait=60)
    session.on_wait("waiting")
    assert warned == ["waiting"]


@pytest.mark.parametrize(("wait", "said"), [(None, "Automatic deploy lock\n"), (3, "lock (waited 3 s)\n")])
def test_who_has_the_lock_is_named(wait: int | None, said: str) -> None:
    with pytest.raises(LockHeld, match="held by Ann at T") as held:
        lock_with(LockAttempt(held_by=parse_lock(f"{THEIRS} 60")), wait)
    assert said in str(held.value)


@pytest.mark.parametrize(("output", "said"), [(("mkdir: No space left",), "mkdir: No space left"), ((), "log")])
def test_what_else_keeps_a_lock_from_being_taken_is_shown(output: tuple[str, ...], said: str) -> None:
    with pytest.raises(HostFailed) as failed:
        lock_with(LockAttempt(output=output))
    assert str(failed.value) == (
        f"{PRIMARY} failed (lock: Lock)\n  {said}\nNothing was changed.\n"
        "Run the same command again once the cause is mended."
    )


@pytest.mark.parametrize(
    ("holder", "is_cleared"),
    [("this-machine 9 gone", True), ("this-machine 10 here", False), ("elsewhere 9 gone", False), ("", False)],
)
def test_a_run_without_changes_clears_the_lock_of_a_process_that_is_gone_and_no_other(
    monkeypatch: pytest.MonkeyPatch, holder: str, is_cleared: bool
) -> None:
    monkeypatch.setattr("kamal_pyinfra.operations.lock.is_dead", lambda found, own: found == "this-machine 9 gone")
    lock = LockDetails(content="text", locked_by="Ann", version="v1", message="m", holder=holder) if holder else None
    sent: list[tuple[str, list[str]]] = []
    session = SimpleNamespace(
        run=new_run(golden_config(CONFIG), "v1"),
        snapshots={PRIMARY: SimpleNamespace(lock=lock)},
        execute=lambda command, hosts: sent.append((command, hosts)),
    )
    locked.clear_left_behind(session)
    clearing = commands.take_over(".kamal/locks/shop", "text", is_expired=False)
    assert sent == ([(clearing, [PRIMARY])] if is_cleared else [])


def unlocking(
    *unlocks: bool | None, inside: Exception | None = None, warned: list[str] | None = None
) -> tuple[Session, list[str]]:
    """Hold the lock for nothing, or for what fails, with these attempts to give it back; ``None``: no connection."""
    session = Session(new_run(golden_config(CONFIG), "v1"))
    session.unlocks = list(unlocks)
    warned = [] if warned is None else warned
    session.report = SimpleNamespace(warned=warned.append)
    try:
        with locked.locked(session):  # type: ignore[arg-type]
            if inside is not None:
                raise inside
    finally:
        assert session.unlocks == []
    return session, warned


@pytest.mark.parametrize("first", [False, None])
def test_a_lock_that_is_not_given_back_at_first_is_given_back_at_the_second_attempt(first):
    session, warned = unlocking(first, True)
    assert (session.released, session.failures, warned) == (1, {}, [])


@pytest.mark.parametrize("why", [(False, "unlock: Unlock)\n  no"), (None, "unlock)\n  it cannot be reached")], ids=repr)
def test_a_lock_that_cannot_be_given_back_fails_the_run(why):
    attempt, said = why
    with pytest.raises(HostFailed) as failed:
        unlocking(attempt, attempt)
    assert str(failed.value) == (
        f"{PRIMARY} failed ({said}\n{locked.NOT_RELEASED}\nRun the same command again once the cause is mended."
    )


def test_what_failed_before_is_what_the_run_ends_with_and_the_lock_is_told():
    warned: list[str] = []
    with pytest.raises(ValueError, match="before"):
        unlocking(False, None, inside=ValueError("before"), warned=warned)
    assert warned == [f"{PRIMARY}: {locked.NOT_RELEASED}\n  it cannot be reached"]
