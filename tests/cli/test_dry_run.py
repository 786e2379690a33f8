"""`--dry-run` is there on every command that changes hosts, or this machine for them, and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.plan.plan import HostPlan, Plan
from kamal_pyinfra.plan.run import Run
from tests.conftest import StandIn
from tests.test_docs import COMMANDS

READING = {
    *("kp plan", "kp status", "kp history", "kp timeline", "kp open", "kp logs", "kp details", "kp audit", "kp doctor"),
    *("kp app version", "kp app details", "kp app containers", "kp app images", "kp app logs"),
    *("kp accessory details", "kp accessory logs", "kp traefik details", "kp traefik logs", "kp build details"),
    "kp lock status",
}
"""They look, and change nothing."""
WITHOUT_HOSTS = {"kp version", "kp completion", "kp config", "kp docs", "kp init"}
"""They have nothing to do with hosts."""
TYPED_AT = {"kp shell"}
"""What is typed there comes after the command line."""
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}
CHANGING = set(LEAVES) - READING - WITHOUT_HOSTS - TYPED_AT


def has_dry_run(command: click.Command) -> bool:
    return any("--dry-run" in each.opts for each in command.params)


def test_every_command_is_known_to_change_hosts_or_not_to() -> None:
    assert (READING | WITHOUT_HOSTS | TYPED_AT) - set(LEAVES) == set()


def test_whatever_changes_hosts_has_a_dry_run_and_nothing_else_has() -> None:
    assert {path for path, command in LEAVES.items() if has_dry_run(command)} == CHANGING


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text(
        "service: shop\nimage: acme/shop\nservers: [192.0.2.1]\nregistry: {username: u, password: [PW]}\n"
        "accessories: {db: {image: postgres, host: 192.0.2.1}}\n"
    )
    (tmp_path / ".env.erb").write_text("A=<%= 1 %>\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PW", "hush")
    monkeypatch.setenv("VERSION", "v2")
    return tmp_path


def printed(line: str) -> str:
    done = CliRunner().invoke(kp, line.split())
    assert (done.exit_code, done.exception) == (0, None), done.output
    return done.output


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("app exec --dry-run date", "192.0.2.1: would run date in a new container\n"),
        ("exec --reuse --dry-run date", "192.0.2.1: would run date in the container that runs\n"),
        ("server exec --dry-run uptime", "192.0.2.1: would run uptime\n"),
        ("build push --dry-run", "This machine would build and push acme/shop:v2.\n"),
        ("registry login -R --dry-run", "This machine would log in to Docker Hub.\n"),
        ("registry logout -R --dry-run", "This machine would log out of Docker Hub.\n"),
        ("envify -P --dry-run", ".env would be written from .env.erb.\n"),
    ],
)
def test_what_needs_no_host_is_said_without_one(project: Path, stand_in: StandIn, line: str, text: str) -> None:
    stand_in("kamal_pyinfra.runner.tasks", change_credentials=lambda *_, **__: None)
    before = sorted(path.name for path in project.rglob("*"))
    assert printed(line) == text
    assert sorted(path.name for path in project.rglob("*")) == before


PLAN = Plan(
    service="shop",
    version="v2",
    command="deploy",
    build=None,
    hosts=(HostPlan(host="192.0.2.1", roles=("web",), changes=(), notes=(), accessories=()),),
)


@pytest.mark.parametrize("command", ["setup", "deploy", "redeploy", "rollback v2"])
def test_a_deploy_of_any_kind_prints_its_own_plan(project: Path, stand_in: StandIn, command: str) -> None:
    asked: list[tuple[str, bool]] = []

    def plan(run: Run, hosts: Any) -> tuple[Plan, None]:
        asked.append((run.command, run.is_dry))
        return PLAN, None

    stand_in("kamal_pyinfra.runner.deploy", plan=plan)
    assert printed(f"{command} --dry-run") == "shop v2: nothing to change.\n"
    assert asked == [(command.split(maxsplit=1)[0], True)]
