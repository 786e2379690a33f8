"""The deploy lock: on the primary host alone, whichever hosts take part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kamal_pyinfra.facts.snapshot import parse_lock
from kamal_pyinfra.operations import audit, lock
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations.run_state import run_state
from kamal_pyinfra.shell import lock as commands
from tests.operations.conftest import OTHER, PRIMARY, deployed
from tests.operations.fleet import changed, failed

DIRECTORY = ".kamal/locks/shop"
THEIRS = commands.details(locked_by="Eve", at="T", version="v1", message="migration", holder="")


def take(run, message: str = "Automatic deploy lock") -> str:
    return f"{{ {commands.acquire(DIRECTORY, lock.lock_content(run, message), lease=120)}; }}"


def give_back(run, message: str = "Automatic deploy lock") -> str:
    return commands.release_own(DIRECTORY, lock.lock_content(run, message))


def locked_by(content: str):
    def observed(run, host):
        details = parse_lock(content) if host == PRIMARY else None
        return replace(deployed(run, host), lock=details)

    return observed


def test_the_lock_says_who_deploys_what(run):
    seen = parse_lock(lock.lock_content(run, "migration"))
    assert (seen.locked_by, seen.version, seen.message, seen.holder, seen.command) == (
        "Dev at 2026-05-01T10:00:00Z",
        "v2",
        "migration",
        "laptop 4242 Mon-May-1",
        "deploy",
    )


def test_the_lock_is_taken_and_given_back_on_the_primary_host_alone(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[PRIMARY].knows(take(run))
    hosts.servers[PRIMARY].knows(give_back(run))
    state = hosts.does(locks.held)
    assert (changed(state), failed(state)) == ([PRIMARY], [])
    assert run_state(state).is_locked
    state = hosts.does(locks.released)
    assert changed(state) == [PRIMARY]
    assert not run_state(state).is_locked
    assert hosts.commands(PRIMARY) == [take(run), give_back(run)]
    assert hosts.commands(OTHER) == []


def test_a_message_of_its_own_is_in_the_lock_and_releases_it(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[PRIMARY].knows(take(run, "it's down"))
    hosts.servers[PRIMARY].knows(give_back(run, "it's down"))
    hosts.does(locks.held, message="it's down")
    hosts.does(locks.released, message="it's down")
    assert hosts.commands(PRIMARY) == [take(run, "it's down"), give_back(run, "it's down")]


def test_a_held_lock_fails_and_nothing_counts_as_locked(fleet, run):
    hosts = fleet(locked_by(THEIRS))
    hosts.servers[PRIMARY].knows(take(run), out=[f"{commands.HELD} {THEIRS}"], is_success=False)
    state = hosts.does(locks.held)
    assert failed(state) == [PRIMARY]
    assert not run_state(state).is_locked
    assert hosts.commands(PRIMARY) == [take(run)]


@pytest.mark.parametrize("is_dead", [True, False])
def test_only_the_lock_of_a_dead_process_is_taken_over(fleet, run, monkeypatch, is_dead):
    monkeypatch.setattr(locks, "is_dead", lambda holder, own: holder == "laptop 99 x" and is_dead)
    left = commands.details(locked_by="Dev", at="T", version="v1", message="m", holder="laptop 99 x")
    hosts = fleet(locked_by(left))
    first = f"{commands.take_over(DIRECTORY, left, is_expired=False)} && " if is_dead else ""
    hosts.servers[PRIMARY].knows(f"{first}{take(run)}")
    hosts.does(locks.held)
    assert hosts.commands(PRIMARY) == [f"{first}{take(run)}"]


@pytest.mark.parametrize(("left", "waits", "is_taken"), [(-5, 0, True), (-5, None, False), (60, 300, False)])
def test_only_a_stale_lock_is_taken_over_and_only_by_who_waits(fleet, run, left, waits, is_taken):
    hosts = fleet(locked_by(f"{THEIRS} {left}"), replace(run, lock_wait=waits))
    first = f"{commands.take_over(DIRECTORY, THEIRS, is_expired=True)} && " if is_taken else ""
    hosts.servers[PRIMARY].knows(f"{first}{take(run)}")
    hosts.does(locks.held)
    assert hosts.commands(PRIMARY) == [f"{first}{take(run)}"]


BY_DEV = {"locked_by": "Dev", "at": "T", "version": "v", "message": "m"}


@pytest.mark.parametrize(
    ("content", "left", "may"),
    [
        (commands.details(**BY_DEV, holder=""), "", True),
        (commands.details(**BY_DEV, holder="ci 9 x"), "60", False),
        (commands.details(**BY_DEV, holder="gone 9 x"), "60", True),
        (THEIRS, "60", False),
        (THEIRS, "0", True),
        (THEIRS, "", False),
        ("", "", True),
    ],
    ids=["own by hand", "own in use", "dead here", "another's", "stale", "another's by hand", "nobody's"],
)
def test_a_lock_is_released_by_its_owner_or_when_nobody_is_behind_it(run, monkeypatch, content, left, may):
    monkeypatch.setattr(locks, "is_dead", lambda holder, own: holder.startswith("gone"))
    assert locks.may_release(replace(run, locked_by="Dev"), parse_lock(f"{content} {left}")) == may


def test_the_look_at_a_host_is_taken_anew_once_it_is_locked(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[PRIMARY].knows(take(run))
    hosts.does(locks.held)
    looks = [line for line in hosts.printed if "Loaded fact" in line and f"[{PRIMARY}]" in line]
    assert len(looks) == 2  # one while preparing, one while executing


def test_without_the_primary_host_among_those_deployed_to_the_lock_is_still_on_it(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[PRIMARY].knows(take(run))
    hosts.servers[PRIMARY].knows(give_back(run))
    state = hosts.does(locks.held, hosts=[OTHER])
    assert failed(state) == []
    assert run_state(state).is_locked
    hosts.does(locks.released, hosts=[OTHER])
    assert (hosts.commands(PRIMARY), hosts.commands(OTHER)) == ([take(run), give_back(run)], [])


def test_without_the_primary_host_a_held_lock_fails_the_host_that_asked(fleet, run):
    hosts = fleet(deployed)
    hosts.servers[PRIMARY].knows(take(run), out=[f"{commands.HELD} {THEIRS}"], is_success=False)
    state = hosts.does(locks.held, hosts=[OTHER])
    assert failed(state) == [OTHER]
    assert not run_state(state).is_locked
    assert any(line.endswith(f"{commands.HELD} {THEIRS}") for line in hosts.printed)


def test_an_audit_line_is_one_command(run):
    command = "printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] [web] Deployed $(v2)' >> .kamal/shop-audit.log"
    assert audit.audited(run, "Deployed $(v2)", "web") == command


def test_how_a_deploy_ended_is_written_to_the_audit_log_with_the_release(run):
    outcome = "Finished deploy of version v2 after 6.1 s: 2 created"
    assert lock.release_command(run, outcome=outcome) == (
        "{ printf '%s\\n' '[2026-05-01T10:00:00Z] [dev@example.com] "
        "Finished deploy of version v2 after 6.1 s: 2 created' >> .kamal/shop-audit.log; } 2> /dev/null; "
        f"{give_back(run)}"
    )


class Clock:
    """Moved by sleeping alone; after each pause the next thing happens."""

    def __init__(self, *happens) -> None:
        self.now = 0.0
        self.happens = list(happens)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.1)
        if self.happens:
            self.happens.pop(0)()


@pytest.fixture
def waiting(fleet, run, monkeypatch):
    """Take the lock, held at first, with some seconds to wait, while things happen; what is said of it meanwhile."""

    def take_it(wait, first, *then):
        patient = replace(run, lock_wait=wait)
        hosts = fleet(deployed, patient)
        primary, said = hosts.servers[PRIMARY], []
        first(primary, patient)
        clock = Clock(*(lambda each=each: each(primary, patient) for each in then))
        monkeypatch.setattr(lock, "time", clock)
        monkeypatch.setattr(lock, "gevent", clock)
        state = hosts.does(locks.held, on_wait=said.append)
        return hosts, state, said, clock

    return take_it


def held_by(content: str, seconds_left: int = 60, after: str = ""):
    """The primary host answers that somebody has the lock."""

    def answer(primary, run):
        command = f"{after}{take(run)}"
        primary.knows(command, out=[f"{commands.HELD} {content} {seconds_left}"], is_success=False)

    return answer


def free(primary, run) -> None:
    primary.knows(take(run))


def nothing(primary, run) -> None: ...


@pytest.mark.parametrize(
    ("look", "least", "most"), [(0.0, 0.7, 1.3), (0.05, 0.7, 1.3), (0.1, 1.4, 2.6), (0.2, 2.1, 3.9), (9.0, 2.1, 3.9)]
)
def test_who_waits_asks_a_busy_host_less_often(look, least, most):
    pauses = [lock.pause_after(look) for _ in range(200)]
    assert least <= min(pauses) < max(pauses) <= most


OTHERS = commands.details(locked_by="Bob", at="T", version="v1", message="m", holder="ci 10 x", command="app stop")


def test_who_waits_gets_the_lock_as_soon_as_it_is_free(waiting):
    hosts, state, said, clock = waiting(60, held_by(THEIRS), nothing, free)
    assert (changed(state), failed(state), run_state(state).is_locked) == ([PRIMARY], [], True)
    assert said == ["waiting up to 60 s for the deploy lock held by Eve at T"]
    assert len(hosts.commands(PRIMARY)) == 3
    assert 1.4 <= clock.now <= 2.6


def test_whoever_gets_it_first_is_named_too(waiting):
    _, state, said, _ = waiting(60, held_by(THEIRS), held_by(OTHERS), held_by(OTHERS), free)
    assert failed(state) == []
    assert [text.rpartition(" held by ")[2] for text in said] == ["Eve at T", "`app stop` of Bob at T"]


@pytest.mark.parametrize("wait", [None, 0])
def test_who_does_not_wait_is_told_at_once_who_has_it(waiting, wait):
    hosts, state, said, clock = waiting(wait, held_by(THEIRS), free)
    assert (failed(state), said, clock.now) == ([PRIMARY], [], 0)
    assert run_state(state).lock.held_by == parse_lock(f"{THEIRS} 60")
    assert len(hosts.commands(PRIMARY)) == 1


def test_who_waits_takes_over_what_becomes_stale(waiting):
    taken_over = f"{commands.take_over(DIRECTORY, THEIRS, is_expired=True)} && "

    def stale(primary, run) -> None:
        held_by(THEIRS, -3)(primary, run)
        primary.knows(f"{taken_over}{take(run)}")

    hosts, state, _, _ = waiting(60, held_by(THEIRS, 1), stale)
    assert (changed(state), failed(state)) == ([PRIMARY], [])
    assert hosts.commands(PRIMARY)[-1].startswith(taken_over)


def test_the_lock_of_a_process_that_dies_meanwhile_is_taken_over(waiting, monkeypatch):
    monkeypatch.setattr(locks, "is_dead", lambda holder, own: holder == "ci 10 x")
    taken_over = f"{commands.take_over(DIRECTORY, OTHERS, is_expired=False)} && "
    hosts, state, _, _ = waiting(60, held_by(OTHERS), lambda primary, run: primary.knows(f"{taken_over}{take(run)}"))
    assert failed(state) == []
    assert hosts.commands(PRIMARY)[-1].startswith(taken_over)


def test_waiting_ends(waiting):
    hosts, state, _, clock = waiting(3, held_by(THEIRS))
    assert failed(state) == [PRIMARY]
    assert 3 <= clock.now < 5
    assert not run_state(state).is_locked
    assert any(line.endswith(f"{commands.HELD} {THEIRS} 60") for line in hosts.printed)


def test_a_lock_that_cannot_be_taken_for_another_reason_is_not_waited_for(waiting):
    def full(primary, run) -> None:
        primary.knows(take(run), err=["mkdir: No space left on device"], is_success=False)

    _, state, said, clock = waiting(60, full, free)
    assert (failed(state), said, clock.now) == ([PRIMARY], [], 0)
    assert run_state(state).lock.output == ("mkdir: No space left on device",)


def test_without_a_listener_pyinfras_log_has_it(fleet, run, monkeypatch):
    patient = replace(run, lock_wait=60)
    hosts = fleet(deployed, patient)
    held_by(THEIRS)(hosts.servers[PRIMARY], patient)
    monkeypatch.setattr(lock, "gevent", Clock(lambda: free(hosts.servers[PRIMARY], patient)))
    assert failed(hosts.does(locks.held)) == []
    assert "waiting up to 60 s for the deploy lock held by Eve at T" in "\n".join(hosts.printed)
