"""What is loaded before kp does anything: each module costs every command time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import LEAST, SECRETS

PLUGINS = """
import sys
from importlib import metadata
looks, look = [], metadata.entry_points
metadata.entry_points = counted = lambda **wanted: looks.append(wanted) or look(**wanted)
from kamal_pyinfra.cli.main import load_early
load_early(["deploy"])
import kamal_pyinfra.config.load
print(len(looks), metadata.entry_points is counted, "gevent.monkey" in sys.modules)
"""
LOADED = "import sys, {}; print(*sys.modules)"
BEFORE_A_LOOK = "kamal_pyinfra.cli.report, kamal_pyinfra.runner.deploy, kamal_pyinfra.local.new_run"
AFTER_A_LOOK = "kamal_pyinfra.plan.output.file, kamal_pyinfra.runner.rollout, kamal_pyinfra.deploys.phases"

UNUSED = {"jinja2", "packaging", "unittest.mock", "asyncio", "invoke"}
"""What pyinfra and what it needs would load for things that kp never does."""


@pytest.mark.parametrize(
    ("modules", "most", "never"),
    [
        ("kamal_pyinfra.cli.main", 200, {"pyinfra", "gevent", "paramiko", "pydantic", "yaml", "rich", "asyncio"}),
        ("kamal_pyinfra.config", 330, {"pyinfra", "gevent", "paramiko", "rich", "asyncio"}),
        (
            f"kamal_pyinfra.cli.main, {BEFORE_A_LOOK}",
            690,
            {
                *UNUSED,
                "rich",
                "kamal_pyinfra.plan.changes",
                "kamal_pyinfra.plan.diff.host",
                "kamal_pyinfra.deploys.phases",
            },
        ),
        (
            f"kamal_pyinfra.cli.main, {BEFORE_A_LOOK}, {AFTER_A_LOOK}",
            790,
            {*UNUSED, "rich", "matplotlib", "requests", "pytest", "kamal_pyinfra.deploys.tasks"},
        ),
    ],
    ids=["kp --help", "configuration", "until hosts are looked at", "deploy"],
)
def test_no_more_is_loaded_than_is_needed(modules: str, most: int, never: set[str]) -> None:
    command = [sys.executable, "-c", LOADED.format(modules)]
    names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    assert len(names) <= most
    assert never.isdisjoint(names)


def test_a_command_is_loaded_without_the_others() -> None:
    """Of a deploy only what it shows with `kp plan`."""
    command = [
        sys.executable,
        "-c",
        "import sys; from click.testing import CliRunner; from kamal_pyinfra.cli.main import COMMANDS, kp\n"
        "assert CliRunner().invoke(kp, ['deploy', '--help']).exit_code == 0\n"
        "modules = {name.partition('.')[0] for name in COMMANDS.values()}\n"
        "print(*(name for name in sorted(modules) if f'kamal_pyinfra.cli.commands.{name}' in sys.modules))",
    ]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    assert loaded == ["deploy"]


AT_CONNECT = """
import sys
import kamal_pyinfra.runner.deploy  # as the command does
import kamal_pyinfra.runner.session as session
def connect(*_, **__):
    print(*sys.modules)
    raise SystemExit
session.connect_all = connect
sys.argv = ["kp", "deploy", "--version", "v1", "--skip-push", "-q"]
from kamal_pyinfra.cli.main import main
main()
"""


def deploying(program: str, folder: Path) -> str:
    """What a deploy prints that ends where it would connect."""
    (folder / "config").mkdir()
    (folder / "config/deploy.yml").write_text(yaml.safe_dump(LEAST))
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **SECRETS}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_what_shows_and_keeps_a_deploy_is_not_loaded_before_hosts_are_asked(tmp_path: Path) -> None:
    names = set(deploying(AT_CONNECT, tmp_path).split())
    assert "paramiko" in names
    late = {"plan.changes", "plan.render", "runner.timeline", "runner.carry_out"}
    assert names.isdisjoint({"invoke", "dotenv", *(f"kamal_pyinfra.{name}" for name in late)})


MATCH_EXEC = """
import sys
import kamal_pyinfra.runner.deploy  # as the command does
from pyinfra.connectors.sshuserclient.config import SSHConfig
text = "Match exec \\"echo said; sleep 0.1\\"\\n  User eve\\nMatch exec \\"exit 3\\"\\n  Port 7\\n"
found = SSHConfig.from_text(text).lookup("web1")
print(found["user"], "port" in found, "invoke" in sys.modules)
"""


def test_a_match_exec_of_the_ssh_configuration_is_understood() -> None:
    """What paramiko would run it with is not loaded, and pyinfra's own way never matches."""
    ran = subprocess.run([sys.executable, "-c", MATCH_EXEC], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "eve False False\n"


GARBAGE = """
import gc, sys
import kamal_pyinfra.runner.session as session
def connect(*_, **__):
    print(gc.isenabled(), gc.get_threshold()[0])
    raise SystemExit
session.connect_all = connect
import kamal_pyinfra.cli.main
load = kamal_pyinfra.cli.main.load_early
def load_early(arguments):
    print(gc.isenabled())
    load(arguments)
kamal_pyinfra.cli.main.load_early = load_early
sys.argv = ["kp", "deploy", "--version", "v1", "--skip-push", "-q"]
from kamal_pyinfra.__main__ import main
main()
"""


def test_garbage_is_looked_for_once_hosts_are_connected_and_not_while_modules_load(tmp_path: Path) -> None:
    assert deploying(GARBAGE, tmp_path).splitlines() == ["False", "True 20000"]


def test_plugins_are_looked_for_once_while_the_engine_loads() -> None:
    """Each look reads the metadata of all installed packages; gevent alone would take 25."""
    ran = subprocess.run([sys.executable, "-c", PLUGINS], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "1 True True\n"
