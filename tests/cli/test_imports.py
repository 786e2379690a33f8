"""What is loaded before kp does anything: each module costs every command time."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLUGINS = """
import sys
from importlib import metadata
looks, look = [], metadata.entry_points
metadata.entry_points = counted = lambda **wanted: looks.append(wanted) or look(**wanted)
from kamal_pyinfra.cli.main import patch_early
patch_early(["deploy"])
print(len(looks), metadata.entry_points is counted, "gevent.monkey" in sys.modules)
"""
LOADED = "import sys, {}; print(*sys.modules)"
BEFORE_A_LOOK = "kamal_pyinfra.cli.report, kamal_pyinfra.runner.deploy, kamal_pyinfra.deploys.new_run"
AFTER_A_LOOK = "kamal_pyinfra.plan.plan_file, kamal_pyinfra.runner.carry_out, kamal_pyinfra.deploys.phases"


@pytest.mark.parametrize(
    ("modules", "most", "never"),
    [
        ("kamal_pyinfra.cli.main", 200, {"pyinfra", "gevent", "paramiko", "pydantic", "yaml", "rich", "asyncio"}),
        ("kamal_pyinfra.config", 330, {"pyinfra", "gevent", "paramiko", "rich", "asyncio"}),
        (
            f"kamal_pyinfra.cli.main, {BEFORE_A_LOOK}",
            820,
            {"rich", "kamal_pyinfra.plan.changes", "kamal_pyinfra.plan.diff", "kamal_pyinfra.deploys.phases"},
        ),
        (
            f"kamal_pyinfra.cli.main, {BEFORE_A_LOOK}, {AFTER_A_LOOK}",
            920,
            {"rich", "matplotlib", "requests", "pytest", "kamal_pyinfra.deploys.accessories"},
        ),
    ],
    ids=["kp --help", "configuration", "until hosts are looked at", "deploy"],
)
def test_no_more_is_loaded_than_is_needed(modules: str, most: int, never: set[str]) -> None:
    command = [sys.executable, "-c", LOADED.format(modules)]
    names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    assert len(names) <= most
    assert never.isdisjoint(names)


def test_plugins_are_looked_for_once_while_the_engine_loads() -> None:
    """Each look reads the metadata of all installed packages; gevent alone would take 25."""
    ran = subprocess.run([sys.executable, "-c", PLUGINS], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "1 True True\n"
