"""How many hosts an operation is under way on; in a process of its own, for pyinfra patches the standard library."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from kamal_pyinfra.runner.engine import new_state
from kamal_pyinfra.config import load_config
from tests.conftest import a_run
import pathlib, sys, tempfile
hosts = [f"192.0.2.{number}" for number in range(1, 121)]
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "deploy.yml")
    path.write_text(f"service: shop\\nimage: acme/shop\\nservers: {hosts}\\n")
    run = a_run(load_config(path, environ={}), "v1")
print(new_state(run, hosts).pool.size)
"""


def test_no_host_waits_for_another_within_an_operation() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("120\n", 0), done.stderr
