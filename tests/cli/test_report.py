"""How a run looks: plain lines, GitHub's groups, events for machines, and the fleet on a terminal."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from kamal_pyinfra.cli.views.live import LiveView, RunProgress, frame
from kamal_pyinfra.cli.views.plain import GitHubView, PlainView
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.progress.events import EventDocument
from tests.cli.events import Play


def without_times(lines: list[str]) -> str:
    return "\n".join(re.sub(r"^\d\d:\d\d:\d\d", "TIME", line) for line in lines)


def test_plain_lines() -> None:
    said: list[str] = []
    Play(PlainView(verbose=False, echo=said.append)).whole()
    assert without_times(said) == (
        "TIME  prepare  Pull the image: web1, web2\n"
        "TIME  prepare  done in 1.0 s\n"
        "TIME  boot     Boot the primary role: web1, web2\n"
        "TIME  boot     done in 4.2 s\n"
        "TIME  Finished in 5.8 s\n"
        "TIME  prepare 1.0 s, boot 4.2 s\n"
        "TIME  shop v2 serves at http://web1"
    )


def test_verbose_shows_what_did_nothing_what_is_waited_for_and_the_build() -> None:
    said: list[str] = []
    Play(PlainView(verbose=True, echo=said.append)).whole()
    shown = without_times(said)
    assert "TIME  prepare  Sync assets: nothing to change\n" in shown
    assert "TIME  boot     web1: health check 1/28: 503 in 12 ms\n" in shown
    assert "TIME  boot     a line of a hook\n" in shown


def test_github_folds_phases_and_marks_failures() -> None:
    said: list[str] = []
    play = Play(GitHubView(PlainView(verbose=False, echo=said.append), echo=said.append))
    play.begin()
    play.boot(failing="web1")
    play.fail()
    assert without_times(said) == (
        "::group::boot on web1, web2\n"
        "TIME  boot     web1: Boot the primary role failed\n"
        "TIME  boot     Boot the primary role: web2\n"
        "TIME  boot     failed in 4.2 s\n"
        "::endgroup::\n"
        "TIME  gate     not every new container is healthy and routed to: nothing is switched\n"
        "::error title=web1 failed::boot: Boot the primary role%0Ashop-web-v2: not healthy after 28 s%0A"
        "last lines of its log:%0Ano database"
    )


def test_events_are_objects_whose_form_is_documented() -> None:
    play = Play()
    play.whole()
    lines = [event.model_dump_json() for event in play.told]
    assert [EventDocument.model_validate_json(line).root for line in lines] == play.told
    found = [json.loads(line) for line in lines]
    assert [each["event"] for each in found][:3] == ["run_started", "plan_made", "phase_started"]
    assert next(each for each in found if each["event"] == "waiting") == {
        "event": "waiting",
        "at": 3.5,
        "host": "web1",
        "subject": "shop-web-v2",
        "what": "health check 1/28: 503 in 12 ms",
    }
    assert found[-1] == {"event": "run_ended", "at": 5.75, "result": "done", "message": ""}


def shown(fleet: RunProgress, now: float, *, width: int = 80, rows: int = 20) -> str:
    return "\n".join(line.plain for line in frame(fleet, now, width=width, rows=rows))


def test_the_fleet_shows_phase_time_and_what_each_host_waits_for() -> None:
    fleet = RunProgress()
    play = Play(fleet.note, hosts=["web1", "web2.example.com"])
    play.begin()
    assert shown(fleet, 0.5) == (
        "deploy shop v2 · 0.5 s\n"
        "· web1                             waits for its turn\n"
        "· web2.example.com                 waits for its turn"
    )
    play.prepare()
    play.emitter.emit(events.BatchStarted, number=2, of=3, hosts=["web1", "web2.example.com"])
    play.emitter.phase_began("boot", ["web1", "web2.example.com"])
    play.emitter.emit(events.OperationStarted, operation="Boot the primary role")
    play.emitter.host_output(
        "web1",
        'kp-waiting shop-web-v2 3 28 1000000000 "2026-05-01T10:00:00Z" "2026-05-01T10:00:00.250Z" 1 "no database\\n"',
    )
    play.emitter.emit(events.HostFinished, host="web2.example.com", operation="Boot the primary role", succeeded=True)
    assert shown(fleet, 64.5) == (
        "deploy shop v2 · boot · batch 2/3 · 1 min 04 s\n"
        "▸ web1              boot   1 min 03 s  health check 3/28: no database in 250 ms\n"
        "✓ web2.example.com  boot   1 min 03 s  waits for the other hosts"
    )


def test_layers_are_counted_while_an_image_is_pulled() -> None:
    fleet = RunProgress()
    play = Play(fleet.note, hosts=["web1"])
    play.begin()
    play.emitter.phase_began("prepare", ["web1"])
    play.emitter.emit(events.OperationStarted, operation="Pull the image")
    for line in ("a" * 12 + ": Pulling fs layer", "b" * 12 + ": Already exists", "Digest: sha256:0"):
        play.emitter.host_output("web1", line)
    assert shown(fleet, 1.5).splitlines()[1] == "▸ web1  prepare        1.0 s  Pull the image: 1/2 layers"


def test_a_hundred_hosts_are_counted_and_the_slow_and_the_failed_are_named() -> None:
    fleet = RunProgress()
    hosts = [f"web{number}" for number in range(1, 101)]
    play = Play(fleet.note, hosts=hosts)
    play.begin()
    play.emitter.phase_began("boot", hosts[:60])
    play.emitter.emit(events.OperationStarted, operation="Boot the primary role")
    for host in hosts[:50]:
        play.emitter.emit(events.HostFinished, host=host, operation="Boot the primary role", succeeded=host != "web7")
    assert shown(fleet, 10.5, width=60, rows=8) == (
        "deploy shop v2 · boot · 10.5 s\n"
        "✗ 1 host failed (boot)\n"
        "✓ 49 hosts through (boot)\n"
        "▸ 10 hosts at work (boot)\n"
        "✗ web7   boot               Boot the primary role\n"
        "▸ web51  boot       10.0 s  Boot the primary role\n"
        "▸ web52  boot       10.0 s  Boot the primary role\n"
        "▸ web53  boot       10.0 s  Boot the primary role"
    )


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    fleet = RunProgress()
    play = Play(fleet.note, hosts=[f"{'long' * 20}{number}.example.com" for number in range(30)])
    play.begin()
    play.prepare()
    assert all(line.cell_len <= width for rows in (5, 50) for line in frame(fleet, 9, width=width, rows=rows))


def test_a_terminal_frames_what_a_failed_host_said_last() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=60, height=24, color_system=None)
    play = Play(LiveView(console, verbose=False))
    play.begin()
    play.boot(failing="web1")
    play.fail()
    seen = stream.getvalue()
    assert (
        "╭─ web1 failed (boot: Boot the primary role) ──────────────╮\n"
        "│ shop-web-v2: not healthy after 28 s                      │\n"
        "│ last lines of its log:                                   │\n"
        "│ no database                                              │\n"
        "╰──────────────────────────────────────────────────────────╯\n"
    ) in seen.replace("\r", "")
    assert "deploy shop v2 · boot · gate closed" in seen


def test_a_long_log_does_not_push_out_why_a_host_failed() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=60, height=24, color_system=None)
    play = Play(LiveView(console, verbose=False))
    play.begin()
    heading = ("shop-web-v2: not healthy after 28 s", "health check exited 22", "last lines of its log:")
    play.fail(output=(*heading, *(f"line {number}" for number in range(50))))
    framed = [line.strip("│ ") for line in stream.getvalue().replace("\r", "").splitlines() if line.startswith("│")]
    assert framed == [*heading, "(44 more)", *(f"line {number}" for number in range(44, 50))]


@pytest.mark.parametrize(
    ("heard", "last"),
    [
        ([("web1", "request"), ("web2", "request")], "shop v2 serves at http://web1"),
        ([], "shop v2 runs; no container behind the proxy was started, so the proxy was not asked"),
        (
            [("web1", "request"), ("web2", "unproven no proxy runs here")],
            "shop v2 runs; that the proxy routes to it was not proven on web2: no proxy runs here",
        ),
        (
            [("web1", "log"), ("web2", "log")],
            "shop v2 runs; no request was sent through the proxy on web1, web2: "
            "only its log shows that it routes there",
        ),
        (
            [
                ("web1", "unproven a"),
                ("web2", "unproven b"),
                ("job1", "unproven a"),
                ("web3", "log"),
                ("x", "nonsense"),
            ],
            "shop v2 runs; that the proxy routes to it was not proven on web1, job1: a, web2: b; "
            "no request was sent through the proxy on web3: only its log shows that it routes there",
        ),
    ],
)
def test_the_last_line_claims_what_was_seen_and_names_what_was_not(heard: list[tuple[str, str]], last: str) -> None:
    said: list[str] = []
    play = Play(PlainView(verbose=False, echo=said.append))
    play.begin()
    for host, line in heard:
        play.emitter.host_output(host, f"kp-routes shop-web-v2 {line}")
    play.emitter.ended("done")
    assert without_times(said).splitlines()[-1] == f"TIME  {last}"
