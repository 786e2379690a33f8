"""How a run looks, with and without a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.live import Live

from kamal_pyinfra.cli.report import LiveReport, PlainReport
from kamal_pyinfra.plan.changes import CreateDirectories
from kamal_pyinfra.plan.fleet import HostPlan, Plan
from kamal_pyinfra.runner.report import Report

PLAN = Plan(
    service="shop",
    version="v1",
    command="deploy",
    build=None,
    hosts=(HostPlan(host="web1", roles=("web",), changes=(CreateDirectories(paths=(".kamal",), cause="not found"),)),),
)


def play(report: Report) -> None:
    report.planned(PLAN)
    report.phase_began("prepare", ["web1"])
    report.operation_began("Create folders")
    report.host_finished("web1", "Create folders", succeeded=True)
    report.operation_ended("Create folders", ["web1"])
    report.operation_ended("Pull the image", [])
    report.phase_ended("prepare", succeeded=True)
    report.output("a line of the build")
    report.finished(1.25)


def without_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d", "TIME", re.sub(r"\d+\.\d s", "N s", text))


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainReport(quiet=False, verbose=False))
    assert without_times(capsys.readouterr().out) == (
        "Plan for shop v1\n"
        "\n"
        "web: web1\n"
        "  + directory .kamal  not found\n"
        "\n"
        "Plan: 0 to replace, 1 to create, 0 to change, 0 to remove, 0 unchanged.\n"
        "TIME  prepare  Create folders: web1\n"
        "TIME  prepare  done in N s\n"
        "TIME  Finished in N s\n"
    )


def test_verbose_shows_what_did_nothing_and_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainReport(quiet=False, verbose=True))
    shown = without_times(capsys.readouterr().out)
    assert "TIME  prepare  Pull the image: nothing to change\n" in shown
    assert "TIME  prepare  a line of the build\n" in shown


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainReport(quiet=True, verbose=True))
    assert capsys.readouterr().out == ""


def test_a_failing_host_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    report = PlainReport(quiet=False, verbose=False)
    report.phase_began("boot", ["web1"])
    report.host_finished("web1", "Boot the primary role", succeeded=False)
    assert without_times(capsys.readouterr().out) == "TIME  boot     web1: Boot the primary role failed\n"


def test_a_terminal_shows_a_line_per_host() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24, color_system=None)
    live = Live(console=console, auto_refresh=False)
    report = LiveReport(live, verbose=False)
    play(report)
    live.stop()
    shown = stream.getvalue()
    assert "web1  prepare: Create folders …" in shown
    assert "web1  prepare: Create folders ✓" in shown
    assert "Finished in 1.2 s" in shown
