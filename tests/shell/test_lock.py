"""The deploy lock, taken and given back by real shells."""

from __future__ import annotations

import base64
import fcntl
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.shell import lock
from kamal_pyinfra.shell.script import functions
from tests.shell.test_shell import texts

LOCK = ".kamal/locks/shop"
MINE = lock.details(
    locked_by="Dev", at="2026-05-01T10:00:00Z", version="v2", message="Automatic deploy lock", holder="laptop 42 x"
)
THEIRS = lock.details(locked_by="Eve", at="2026-05-01T09:00:00Z", version="v1", message="migration", holder="")
THEIRS_READABLE = "Locked by: Eve at 2026-05-01T09:00:00Z\nVersion: v1\nMessage: migration\nHolder: \nCommand: "


HELD_BY_A_STRANGER = (
    "another process has locked the folder .kamal/locks for 10 s: `fuser -v .kamal/locks` names it;"
    " end it, and run the same command again"
)

AS_OTHERS = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
"""Before a command of root, which may otherwise write everywhere."""


def run(script: str, cwd: Path, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    ended = subprocess.run(
        [*before, "sh", "-c", script], cwd=cwd, capture_output=True, text=True, check=False, timeout=60, env=os.environ
    )
    lines = ended.stdout.split("\n")
    return ended.returncode, "\n".join(line for line in lines if not line.startswith(lock.TAKEN)), ended.stderr


def state(cwd: Path) -> str:
    """What the state of a lock that is held says."""
    found = lock.answer(run(lock.state(LOCK), cwd)[1].splitlines(), lock.STATE)
    assert found is not None
    return found


def test_only_lines_of_the_lock_are_read() -> None:
    lines = ["unknown", "free", "deploy-lock-statement x", "deploy-lock-state Zm9v 7", "deploy-lock-state other 8"]
    assert lock.answer(lines, lock.STATE) == "Zm9v 7"
    assert lock.answer(["deploy-lock-taken"], lock.TAKEN) == ""
    assert lock.answer(["lock-taken", "x deploy-lock-taken 1", ""], lock.TAKEN) is None


def test_a_release_is_confirmed_only_where_the_lock_is_gone(tmp_path):
    run(lock.acquire(LOCK, THEIRS), tmp_path)
    assert run(lock.confirmed(LOCK, lock.release_own(LOCK, MINE)), tmp_path) == (1, "", "")
    assert run(lock.confirmed(LOCK, lock.release_own(LOCK, THEIRS)), tmp_path) == (0, "deploy-lock-released\n", "")
    run(lock.acquire(LOCK, THEIRS), tmp_path)
    assert run(lock.confirmed(LOCK, lock.release(LOCK)), tmp_path) == (0, "deploy-lock-released\n", "")


def test_the_details_are_kamals_three_lines_and_two_of_ours():
    assert base64.b64decode(MINE).decode() == (
        "Locked by: Dev at 2026-05-01T10:00:00Z\nVersion: v2\nMessage: Automatic deploy lock\n"
        "Holder: laptop 42 x\nCommand: "
    )


def test_a_free_lock_is_taken_below_folders_that_did_not_exist(tmp_path):
    assert run(lock.acquire(LOCK, MINE), tmp_path) == (0, "", "")
    assert (tmp_path / LOCK / "details").read_text() == f"{MINE}\n"


def test_a_held_lock_says_who_holds_it_and_stays_as_it_is(tmp_path):
    run(lock.acquire(LOCK, THEIRS), tmp_path)
    assert run(lock.acquire(LOCK, MINE), tmp_path) == (1, f"{lock.HELD} {THEIRS} \n", THEIRS_READABLE)
    assert (tmp_path / LOCK / "details").read_text() == f"{THEIRS}\n"


def test_a_lock_of_kamals_is_printed_on_one_line(tmp_path):
    (tmp_path / LOCK).mkdir(parents=True)
    wrapped = "\n".join(THEIRS[start : start + 60] for start in range(0, len(THEIRS), 60))
    (tmp_path / LOCK / "details").write_text(f"{wrapped}\n")
    assert run(lock.acquire(LOCK, MINE), tmp_path) == (1, f"{lock.HELD} {THEIRS} \n", THEIRS_READABLE)


def test_a_lock_without_details_is_held(tmp_path):
    (tmp_path / LOCK).mkdir(parents=True)
    code, out, err = run(lock.acquire(LOCK, MINE), tmp_path)
    assert (code, out.startswith(f"{lock.HELD}  1"), err) == (1, True, "")
    assert list((tmp_path / LOCK).iterdir()) == []


@pytest.mark.parametrize("content", [None, ""])
@pytest.mark.parametrize(("age", "stays"), [(10, True), (120 + 5, False)])
def test_a_lock_whose_taker_died_before_he_wrote_into_it_becomes_stale(tmp_path, content, age, stays):
    (tmp_path / LOCK).mkdir(parents=True)
    if content is not None:
        (tmp_path / LOCK / "details").write_text(content)
    made = time.time() - age
    os.utime(tmp_path / LOCK, (made, made))
    seen = parse_lock(state(tmp_path))
    assert (seen.content, seen.is_stale) == ("", not stays)
    assert run(lock.take_over(LOCK, seen.content, is_expired=True), tmp_path) == (0, "", "")
    assert (tmp_path / LOCK).exists() == stays


def test_a_lock_with_strange_details_is_held_and_nothing_strange_is_printed(tmp_path):
    (tmp_path / LOCK).mkdir(parents=True)
    (tmp_path / LOCK / "details").write_bytes(base64.b64encode(b"Locked by: \x1b[31m\xff\xfeEve"))
    code, out, err = run(lock.acquire(LOCK, MINE), tmp_path)
    assert (code, out.partition(" ")[0], err) == (1, lock.HELD, "Locked by: [31mEve")


def test_a_lock_that_cannot_be_filled_is_not_left_behind(tmp_path):
    code, out, _ = run(f"trap '' XFSZ; ulimit -f 0; {lock.acquire(LOCK, MINE)}", tmp_path)
    assert (code, out) == (1, "")
    assert not (tmp_path / LOCK).exists()
    assert run(lock.acquire(LOCK, MINE), tmp_path) == (0, "", "")


def test_where_no_folder_can_be_made_the_lock_is_not_called_held(tmp_path):
    (tmp_path / ".kamal").write_text("a file where the folder should be")
    code, out, err = run(lock.acquire(LOCK, MINE), tmp_path)
    assert (code, out) == (1, "")
    assert "mkdir" in err


def test_where_the_lock_cannot_be_made_it_is_not_called_held(tmp_path):
    (tmp_path / ".kamal/locks").mkdir(parents=True)
    (tmp_path / LOCK).write_text("a file where the lock should be")
    code, out, err = run(lock.acquire(LOCK, MINE), tmp_path)
    assert (code, out) == (1, "")
    assert "shop" in err


def test_an_unwritable_folder_is_not_called_a_held_lock(tmp_path):
    (tmp_path / ".kamal/locks").mkdir(parents=True)
    (tmp_path / ".kamal/locks").chmod(0o500)
    code, out, err = run(lock.acquire(LOCK, MINE), tmp_path, AS_OTHERS)
    assert (code, out) == (1, "")
    assert "ermission denied" in err


def test_of_twenty_at_once_exactly_one_gets_it(tmp_path):
    contents = [base64.b64encode(f"run {number}".encode()).decode() for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda content: run(lock.acquire(LOCK, content), tmp_path), contents))
    winners = [content for content, (code, _, _) in zip(contents, answers, strict=True) if code == 0]
    assert len(winners) == 1
    assert (tmp_path / LOCK / "details").read_text() == f"{winners[0]}\n"
    assert {out.partition(" ")[0] for code, out, _ in answers if code} == {lock.HELD}


def test_only_its_own_lock_is_given_back(tmp_path):
    run(lock.acquire(LOCK, THEIRS), tmp_path)
    assert run(lock.release_own(LOCK, MINE), tmp_path) == (0, "", "")
    assert (tmp_path / LOCK / "details").read_text() == f"{THEIRS}\n"
    assert run(lock.release_own(LOCK, THEIRS), tmp_path) == (0, "", "")
    assert not (tmp_path / LOCK).exists()


def test_giving_back_a_lock_that_is_gone_is_no_error(tmp_path):
    assert run(lock.release_own(LOCK, MINE), tmp_path) == (0, "", "")
    assert run(lock.release(LOCK), tmp_path) == (0, "", "")


def test_a_lock_without_details_can_be_released_by_hand_but_is_nobodys_own(tmp_path):
    (tmp_path / LOCK).mkdir(parents=True)
    run(lock.release_own(LOCK, MINE), tmp_path)
    assert (tmp_path / LOCK).exists()
    run(lock.release(LOCK), tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_a_dead_lock_is_taken_over_unless_somebody_was_quicker(tmp_path):
    take_over = f"{lock.take_over(LOCK, THEIRS, is_expired=False)} && {{ {lock.acquire(LOCK, MINE)}; }}"
    run(lock.acquire(LOCK, THEIRS), tmp_path)
    assert run(take_over, tmp_path)[0] == 0
    assert (tmp_path / LOCK / "details").read_text() == f"{MINE}\n"
    assert run(take_over, tmp_path)[:2] == (1, f"{lock.HELD} {MINE} \n")


def leased(tmp_path: Path, seconds: int, content: str = THEIRS) -> None:
    """A lock whose lease ends in that many seconds."""
    assert run(lock.acquire(LOCK, content, lease=seconds), tmp_path) == (0, "", "")


def left(tmp_path: Path) -> int | None:
    return parse_lock(state(tmp_path)).seconds_left


def test_a_lease_is_shown_by_how_long_it_still_lasts(tmp_path):
    assert run(lock.state(LOCK), tmp_path) == (0, "", "")
    leased(tmp_path, 120)
    assert left(tmp_path) in range(60, 121)
    code, out, _ = run(lock.acquire(LOCK, MINE), tmp_path)
    assert (code, parse_lock(out.removeprefix(f"{lock.HELD} ").removesuffix("\n")).is_renewed) == (1, True)


@pytest.mark.parametrize("text", ["", "soon", "(", "1 + 1", "$(reboot)", "9" * 400])
def test_a_lease_that_is_no_time_is_none(tmp_path, text):
    leased(tmp_path, 120)
    (tmp_path / LOCK / "lease").write_text(text)
    assert left(tmp_path) is None
    assert run(lock.take_over(LOCK, THEIRS, is_expired=True), tmp_path) == (0, "", "")
    assert (tmp_path / LOCK).exists()


def test_a_lease_is_renewed_by_its_holder_alone(tmp_path):
    leased(tmp_path, -5)
    assert run(lock.renew(LOCK, MINE, lease=120), tmp_path) == (0, f"{lock.LOST}\n", "")
    assert left(tmp_path) in range(-30, -4)
    assert run(lock.renew(LOCK, THEIRS, lease=120), tmp_path) == (0, "", "")
    assert left(tmp_path) in range(60, 121)


def test_a_folder_that_somebody_holds_is_not_waited_for_without_end(tmp_path, monkeypatch):
    """Any user who can open the folder can lock it; the deploy lock stays, and the reason is told."""
    leased(tmp_path, 120)
    monkeypatch.setattr(lock, "ALONE_SECONDS", 1)
    opened = os.open(tmp_path / ".kamal/locks", os.O_RDONLY)
    scripts = (
        lock.renew(LOCK, THEIRS, lease=120),
        lock.release_own(LOCK, THEIRS),
        lock.take_over(LOCK, THEIRS, is_expired=False),
    )
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        ended = [run(script, tmp_path) for script in scripts]
    finally:
        os.close(opened)
    assert ended == [(1, "", f"{HELD_BY_A_STRANGER.replace('10 s', '1 s')}\n")] * len(scripts)
    assert (tmp_path / LOCK / "details").exists()


def test_a_lock_that_is_gone_cannot_be_renewed(tmp_path):
    leased(tmp_path, 120)
    run(lock.release(LOCK), tmp_path)
    assert run(lock.renew(LOCK, THEIRS, lease=120), tmp_path) == (0, f"{lock.LOST}\n", "")
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize(("seconds", "stays"), [(-5, False), (0, False), (120, True)])
def test_a_stale_lock_is_taken_over_and_one_that_was_renewed_is_not(tmp_path, seconds, stays):
    leased(tmp_path, seconds)
    assert run(lock.take_over(LOCK, THEIRS, is_expired=True), tmp_path) == (0, "", "")
    assert (tmp_path / LOCK).exists() == stays


def test_of_twenty_who_take_over_a_stale_lock_exactly_one_gets_it(tmp_path):
    leased(tmp_path, -5)
    contents = [base64.b64encode(f"run {number}".encode()).decode() for number in range(20)]

    def take(content: str) -> int:
        take_over = lock.take_over(LOCK, THEIRS, is_expired=True)
        return run(f"{take_over} && {{ {lock.acquire(LOCK, content, lease=120)}; }}", tmp_path)[0]

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(take, contents))
    assert sorted(codes) == [0] + [1] * 19
    assert (tmp_path / LOCK / "details").read_text() == f"{contents[codes.index(0)]}\n"


def test_kamal_cannot_take_ours_reads_it_and_releases_it(tmp_path):
    leased(tmp_path, 120)
    assert run(f'mkdir {LOCK} && echo "x" > {LOCK}/details', tmp_path)[0] == 1
    assert run(f"stat {LOCK} > /dev/null && cat {LOCK}/details | base64 -d", tmp_path) == (0, THEIRS_READABLE, "")
    assert run(f"rm {LOCK}/details && rm -r {LOCK}", tmp_path) == (0, "", "")
    assert not (tmp_path / LOCK).exists()


lines = texts.map(lambda text: " ".join(text.split()))


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.tuples(lines, lines, lines), min_size=1, max_size=10), folder=texts.map(lambda t: t[:40]))
def test_any_text_in_a_lock_comes_back(tmp_path_factory, values, folder):
    directory = "locks/" + folder.replace("/", "_") + "x"
    root = tmp_path_factory.mktemp("lock")
    contents = [
        lock.details(locked_by=who, at="T", version=version, message=message, holder="h 1 s")
        for who, version, message in values
    ]
    script = "; ".join(
        f"( {lock.acquire(f'{directory}{number}', content)} )" for number, content in enumerate(contents)
    )
    assert run(script, root) == (0, "", "")
    for number, (who, version, message) in enumerate(values):
        seen = parse_lock((root / f"{directory}{number}" / "details").read_text().replace("\n", ""))
        assert (seen.locked_by, seen.version, seen.message, seen.holder) == (f"{who} at T", version, message, "h 1 s")


def test_the_commands_as_text():
    calls = {
        lock.acquire("/k/locks/a b", "Zm9v", lease=120): "acquire_lock '/k/locks/a b' Zm9v 120; }",
        lock.acquire("/k/locks/a b", "Zm9v"): "acquire_lock '/k/locks/a b' Zm9v; }",
        lock.state("/k/locks/a b"): "show_lock '/k/locks/a b'; }",
        lock.release_own(LOCK, "Zm9v"): f"alone_with_lock 10 release_own_lock {LOCK} Zm9v; }}",
        lock.take_over(LOCK, "Zm9v", is_expired=True): f"alone_with_lock 10 take_over_lock {LOCK} Zm9v expired; }}",
    }
    assert [script.splitlines()[-1] for script in calls] == list(calls.values())
    assert lock.release("a b") == "rm -rf 'a b'"


def seen(cwd: Path) -> str:
    return run(f"{functions('lock_mark')}lock_mark {LOCK}", cwd)[1].strip()


def taken(cwd: Path) -> str:
    done = subprocess.run(["sh", "-c", lock.acquire(LOCK, MINE, lease=120)], cwd=cwd, capture_output=True, text=True)  # noqa: PLW1510
    return done.stdout.strip().removeprefix(lock.TAKEN).strip()


def test_a_lock_that_nobody_had_since_the_look_bears_the_mark_that_was_seen(tmp_path):
    run(f"{lock.acquire(LOCK, THEIRS)}; {lock.release(LOCK)}", tmp_path)
    mark = seen(tmp_path)
    assert lock.is_exact(mark)
    assert taken(tmp_path) == mark


def test_a_lock_that_somebody_had_since_the_look_bears_another_mark(tmp_path):
    run(f"{lock.acquire(LOCK, THEIRS)}; {lock.release(LOCK)}", tmp_path)
    mark = seen(tmp_path)
    run(f"{lock.acquire(LOCK, THEIRS)}; {lock.release(LOCK)}", tmp_path)
    assert taken(tmp_path) != mark


def test_a_lock_that_was_taken_over_bears_another_mark(tmp_path):
    run(lock.acquire(LOCK, THEIRS, lease=-5), tmp_path)
    mark = seen(tmp_path)
    run(lock.take_over(LOCK, THEIRS, is_expired=True), tmp_path)
    assert taken(tmp_path) != mark


@pytest.mark.parametrize(
    ("mark", "tells"),
    [
        ("12-2026-05-0110:00:00.123456789+0000", True),
        ("12-2026-05-0110:00:00.000000000+0000", False),
        ("12-2026-05-0110:00:00", False),
        ("", False),
    ],
)
def test_a_mark_of_whole_seconds_tells_nothing(mark, tells):
    assert lock.is_exact(mark) == tells
