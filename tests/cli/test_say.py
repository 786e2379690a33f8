"""Whatever a host or a file says: a terminal gets text, and a table takes brackets for brackets."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.cli.output import echo, echo_json, paint, table_console
from kamal_pyinfra.cli.views.live import LiveView
from kamal_pyinfra.cli.views.plain import GitHubView, PlainView
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.text import RUNNERS
from tests.conftest import LEAST, SECRETS, MakeConfig, StandIn
from tests.plan.hosts import deployed

CLI = Path(__file__).parents[2] / "kamal_pyinfra/cli"
HOSTILE = "\x1b[2J\x1b]0;owned\x07[/red]\u202e\r\n"


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: path.name)
def test_only_one_module_prints(path: Path) -> None:
    calls = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not calls & {"echo", "secho"} or path.name in ("output.py", "plain.py")


def test_text_is_said_without_commands_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"a {HOSTILE}b", err=True)
    assert capsys.readouterr().err == "a [/red]\nb\n"


def test_json_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"a": HOSTILE + "\x9b\x7f"}
    echo_json(json.dumps(told, ensure_ascii=False, indent=2))
    printed = capsys.readouterr().out
    assert json.loads(printed) == told
    assert [each for each in printed if each != "\n" and not each.isprintable()] == []


def test_a_live_view_prints_text_and_takes_brackets_for_brackets() -> None:
    screen = io.StringIO()
    view = LiveView(Console(file=screen, width=80), verbose=True)
    view(events.Output(at=0.0, phase="build", line=f"a {HOSTILE}"))
    view(events.Failed(at=0.0, host="[/web1]", phase="boot", operation=HOSTILE, output=[f"b {HOSTILE}"]))
    view.live.stop()
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
    stand_in("kamal_pyinfra.runner.queries.observe", observe=lambda *_: fleet)
    stand_in("kamal_pyinfra.runner.lock", lock_status=lambda *_: lock)
    done = CliRunner().invoke(kp, [*command, "-c", "deploy.yml"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "[/red]" in done.output
    assert [each for each in done.output if each != "\n" and not each.isprintable()] == []


COMMANDS = ["::set-output name=deployed::yes", " ::stop-commands::xyz", "done ##[set-output name=deployed;]yes"]


def obeyed(printed: str) -> list[str]:
    """Lines that GitHub Actions takes for commands (actions/runner, ActionCommand.cs)."""
    return [line for line in printed.splitlines() if line.lstrip().startswith("::") or "##[" in line]


@pytest.fixture
def in_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


@pytest.mark.usefixtures("in_actions")
def test_what_is_said_gives_no_commands_to_a_runner(capsys: pytest.CaptureFixture[str]) -> None:
    echo("\n".join(COMMANDS))
    echo("\n".join(COMMANDS), err=True)
    echo_json(json.dumps({"lines": COMMANDS}, indent=2))
    printed = capsys.readouterr()
    assert obeyed(printed.out + printed.err) == []
    assert json.loads(printed.out[printed.out.index("{") :]) == {"lines": COMMANDS}


@pytest.mark.usefixtures("in_actions")
def test_a_run_gives_a_runner_the_commands_of_kp_alone(capsys: pytest.CaptureFixture[str]) -> None:
    view = GitHubView(PlainView(verbose=True))
    view(events.PhaseStarted(at=0.0, phase="boot", hosts=["web1"]))
    for line in COMMANDS:
        view(events.Output(at=0.0, phase="release", line=line))
        view(events.Warned(at=0.0, phase="boot", text=line))
    view(events.Failed(at=0.0, host="web1", phase="boot", operation="x", output=COMMANDS))
    view(events.PhaseEnded(at=1.0, phase="boot", succeeded=False, seconds=1.0))
    assert obeyed(capsys.readouterr().out) == [
        "::group::boot on web1",
        "::error title=web1 failed::boot: x%0A::set-output name=deployed::yes%0A ::stop-commands::xyz%0A"
        "done ##[set-output name=deployed;]yes",
        "::endgroup::",
    ]


@pytest.mark.usefixtures("in_actions")
def test_a_table_gives_no_commands_to_a_runner_wherever_it_breaks_lines(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("found", box=None, width=14)
    table.add_row("a long word ::set-output name=a::b and ##[x]")
    table_console().print(table)
    printed = capsys.readouterr().out
    assert ": :set-output" in printed
    assert obeyed(printed) == []


@pytest.mark.usefixtures("in_actions")
def test_a_plan_gives_no_commands_to_a_runner(capsys: pytest.CaptureFixture[str]) -> None:
    paint("\n".join(COMMANDS))
    assert obeyed(capsys.readouterr().out) == []


def test_text_outside_of_a_runner_is_as_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RUNNERS:
        monkeypatch.delenv(name, raising=False)
    echo("\n".join(COMMANDS))
    assert capsys.readouterr().out == "\n".join([*COMMANDS, ""])


KP = str(Path(sys.executable).parent / "kp")
ENCODINGS = ["latin-1", "cp1252", "ascii", "iso8859-7"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_letters_that_the_output_lacks_are_replaced(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deploy.yml").write_text("service: shöp → 船\nimage: a/b\nservers: [192.0.2.1]\n", "utf-8")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [KP, "config", "-c", "deploy.yml"], cwd=tmp_path, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert "service" in done.stderr.decode(encoding)


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_files_are_utf8_whatever_the_locale(tmp_path: Path, locale: str) -> None:
    (tmp_path / "deploy.yml").write_text(
        yaml.safe_dump(LEAST | {"env": {"clear": {"NAME": "shöp → 船"}}}, allow_unicode=True), "utf-8"
    )
    environ = {"PATH": "/usr/bin:/bin", "LC_ALL": locale, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "0", **SECRETS}
    done = subprocess.run(
        [KP, "config", "-c", "deploy.yml"], cwd=tmp_path, env=environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "shöp → 船" in done.stdout.decode()


def test_a_traceback_shows_no_secret() -> None:
    script = (
        "from kamal_pyinfra.cli.output import prepare_output\n"
        "from kamal_pyinfra.redactor import redacted\n"
        "prepare_output()\nredacted.learn(['s3cr3t-t0ken'])\nraise RuntimeError('s3cr3t' + '-t0ken → here')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "RuntimeError: [REDACTED] " in done.stderr
    assert "s3cr3t-t0ken" not in done.stderr
