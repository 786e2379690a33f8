"""What is loaded before kp does anything: each module costs every command time."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys, {}; print(len(sys.modules), *sorted({{name.split('.')[0] for name in sys.modules}}))"


@pytest.mark.parametrize(
    ("modules", "most", "never"),
    [
        ("kamal_pyinfra.cli.main", 200, {"pyinfra", "gevent", "paramiko", "pydantic", "yaml", "rich", "asyncio"}),
        ("kamal_pyinfra.config", 330, {"pyinfra", "gevent", "paramiko", "rich", "asyncio"}),
        (
            "kamal_pyinfra.cli.main, kamal_pyinfra.runner.deploy, kamal_pyinfra.deploys.new_run",
            950,
            {"rich", "matplotlib", "requests", "pytest"},
        ),
    ],
    ids=["kp --help", "configuration", "deploy"],
)
def test_no_more_is_loaded_than_is_needed(modules: str, most: int, never: set[str]) -> None:
    command = [sys.executable, "-c", LOADED.format(modules)]
    number, *names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    assert int(number) <= most
    assert never.isdisjoint(names)
