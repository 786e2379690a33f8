"""What is said of a held lock: who has it, how long, and the way past it."""

from __future__ import annotations

import pytest

from kamal_pyinfra.operations.lock import waiting_message
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner.failures import lock_lines, lock_message, release_refusal

OURS = {
    "locked_by": "Ann at 2026-05-01T09:00:00Z",
    "version": "v1",
    "message": "Automatic deploy lock",
    "holder": "ci-7/3f2a/4026531836 4242 Mon-May-1",
    "command": "app boot",
}
KAMALS = LockDetails(locked_by="Ann at 2026-05-01T09:00:00Z", version="v1", message="migration")


@pytest.mark.parametrize(
    ("left", "lease", "way"),
    [
        (90, "90 s left", "Wait until it is free: run the same command with `--lock-wait`."),
        (
            -12,
            "stale, ended 12 s ago and was not renewed",
            "It is stale: run the same command with `--lock-wait` to take it over, or `kp lock release`.",
        ),
    ],
)
def test_a_run_is_named_with_its_process_command_and_lease(left, lease, way):
    assert lock_message(LockDetails(**OURS, seconds_left=left)).splitlines() == [
        "Deploy lock held by Ann at 2026-05-01T09:00:00Z for version v1: Automatic deploy lock",
        "Process: 4242 on ci-7",
        "Command: app boot",
        f"Lease: {lease}",
        way,
    ]


def test_of_kamals_lock_only_its_own_three_lines_are_known():
    assert lock_message(KAMALS, waited=30).splitlines() == [
        "Deploy lock held by Ann at 2026-05-01T09:00:00Z for version v1: migration (waited 30 s)",
        "Wait until it is free, or run `kp lock release` if you are sure that no deploy is running.",
    ]
    assert lock_lines(KAMALS) == [
        ("Locked by", "Ann at 2026-05-01T09:00:00Z"),
        ("Version", "v1"),
        ("Message", "migration"),
    ]


def test_waiting_says_for_whom():
    assert waiting_message(LockDetails(**OURS), 12.4) == (
        "waiting up to 12 s for the deploy lock held by `app boot` of Ann at 2026-05-01T09:00:00Z"
    )


def test_what_another_wrote_into_a_lock_is_harmless_to_print():
    hostile = LockDetails(
        locked_by="\x1b[31mEve\r\n", version="\x07", message="a\x1b[2Jb", holder="h\x1b[1m 1 s", command="\x9b31m"
    )
    said = lock_message(hostile) + waiting_message(hostile, 1) + release_refusal(hostile, "Dev")
    assert not set(said) & {"\x1b", "\x07", "\r", "\x9b"}


def test_a_refusal_to_release_says_whose_it_is():
    assert release_refusal(KAMALS, "Dev").splitlines() == [
        "The deploy lock is held by Ann at 2026-05-01T09:00:00Z, not by Dev: migration",
        "Run `kp lock release --force` if you are sure that no deploy is running.",
    ]
    assert release_refusal(LockDetails(**OURS, seconds_left=90), "Ann").splitlines()[0] == (
        "The deploy lock of Ann at 2026-05-01T09:00:00Z is in use: a run renews it: Automatic deploy lock"
    )
