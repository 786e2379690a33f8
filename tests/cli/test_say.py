"""Whatever a host or a file says: a terminal gets text, and a table takes brackets for brackets."""

from __future__ import annotations

import ast
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.cli.say import say, say_json
from kamal_pyinfra.cli.views.live import LiveView
from kamal_pyinfra.plan.observed import LockDetails
from kamal_pyinfra.runner import events
from tests.conftest import MakeConfig, StandIn
from tests.plan.hosts import deployed

CLI = Path(__file__).parents[2] / "kamal_pyinfra/cli"
HOSTILE = "\x1b[2J\x1b]0;owned\x07[/red]\u202e\r\n"


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_only_say_and_paint_print(path: Path) -> None:
    calls = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not calls & {"echo", "secho"} or path.name in ("say.py", "paint.py")


def test_text_is_said_without_commands_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"a {HOSTILE}b", err=True)
    assert capsys.readouterr().err == "a [/red]\nb\n"


def test_json_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"a": HOSTILE + "\x9b\x7f"}
    say_json(json.dumps(told, ensure_ascii=False, indent=2))
    printed = capsys.readouterr().out
    assert json.loads(printed) == told
    assert [each for each in printed if each != "\n" and not each.isprintable()] == []


def test_a_live_view_prints_text_and_takes_brackets_for_brackets() -> None:
    screen = io.StringIO()
    view = LiveView(Console(file=screen, width=80), verbose=True)
    view(events.Output(at=0.0, phase="build", line=f"a {HOSTILE}"))
    view(events.Failed(at=0.0, host="[/web1]", phase="boot", operation=HOSTILE, output=[f"b {HOSTILE}"]))
    view.stop()
    assert "[/web1] failed" in screen.getvalue()
    assert "owned" not in screen.getvalue()
    assert not set("\x1b\x07\r\u202e") & set(screen.getvalue())


@pytest.mark.parametrize("command", [["details"], ["lock", "status"]])
def test_what_a_host_says_is_shown_on_its_line(config: MakeConfig, stand_in: StandIn, command: list[str]) -> None:
    loaded = config()
    seen = deployed(loaded, "v1")
    names = [replace(each, image=f"acme/{HOSTILE}shop") for each in seen.containers]
    lock = LockDetails(content="x", locked_by=HOSTILE, version=HOSTILE, message=f"{HOSTILE}Locked by: me")
    fleet = {seen.host: replace(seen, containers=tuple(names), lock=lock)}
    stand_in("kamal_pyinfra.runner.ask", observe=lambda *_: fleet, lock_status=lambda *_: lock)
    done = CliRunner().invoke(kp, [*command, "-c", "deploy.yml"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "[/red]" in done.output
    assert [each for each in done.output if each != "\n" and not each.isprintable()] == []
