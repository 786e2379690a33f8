"""The own registry lent to a host through SSH: bytes, ends, refusals.

gevent patches the standard library, which must not happen in a process of the test suite: the cases have their own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("own_forward_cases.py")
CASES = re.findall(r"^def (check_\w+)", FILE.read_text(), re.MULTILINE)


def test_every_case_of_lending_holds() -> None:
    pytest_options = ["-q", "-p", "no:cacheprovider", "-o", "python_functions=check_*", "-o", "addopts="]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *pytest_options, "--noconftest", str(FILE)],
        cwd=FILE.parents[2],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"\b(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= len(CASES)
