"""Whether a snapshot from before the lock may serve after it."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.operations.run_state import LockAttempt, run_state
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.runner import lock
from tests.conftest import MakeConfig, a_run

PRIMARY = "192.0.2.1"
MARK = "12-2026-05-0110:00:00.123456789+0000"
LATER = "12-2026-05-0110:00:07.000000001+0000"


class State:
    """Only its identity counts."""


def session(config: MakeConfig, taken: str = "", *, mark: str = MARK, seconds_ago: float = 0, **sections: Any) -> Any:
    state: Any = State()
    run_state(state).lock = LockAttempt(is_taken=True, mark=taken)
    return SimpleNamespace(
        run=a_run(config(servers=[PRIMARY], **sections)),
        state=state,
        snapshots={PRIMARY: ObservedHost(host=PRIMARY, lock_mark=mark)},
        snapshots_at=time.monotonic() - seconds_ago,
    )


@pytest.mark.parametrize(
    ("taken", "seen", "expected"),
    [
        (MARK, MARK, True),
        (LATER, MARK, False),
        ("", "", False),
        ("", MARK, False),
        (MARK.replace("123456789", "000000000"), MARK.replace("123456789", "000000000"), False),
    ],
    ids=["nobody had it", "somebody had it", "the host cannot tell", "nothing was said", "whole seconds"],
)
def test_the_mark_tells_whether_somebody_had_the_lock(
    config: MakeConfig, taken: str, seen: str, expected: bool
) -> None:
    assert lock.is_unchanged(session(config, taken, mark=seen)) == expected


def test_without_a_snapshot_of_the_primary_host_there_is_nothing_to_keep(config: MakeConfig) -> None:
    there = session(config, MARK)
    there.snapshots = {}
    assert not lock.is_unchanged(there)


def kept(there: Any, *, is_unchanged: bool = True) -> bool:
    lock.reuse_snapshots_if_fresh(there, is_unchanged=is_unchanged)
    return bool(run_state(there.state).snapshots)


def test_a_snapshot_is_kept_only_while_young_and_when_nobody_had_the_lock(config: MakeConfig) -> None:
    assert kept(session(config))
    assert not kept(session(config), is_unchanged=False)
    assert not kept(session(config, seconds_ago=lock.SECONDS))


def test_a_hook_or_a_setup_may_have_changed_hosts_since(config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    there = session(config)
    there.run = replace(there.run, is_setup=True)
    assert not kept(there)
    monkeypatch.setattr(lock, "has_hook", lambda _, name: name == "pre-deploy")
    assert not kept(session(config))
