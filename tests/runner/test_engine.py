"""What the engine's greenlets print."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from kamal_pyinfra.runner.engine import new_state
import gevent
from pyinfra.api.exceptions import PyinfraError

def fail(error):
    raise error

from tests.shell.builders import golden_config, new_run
config = golden_config()
new_state(new_run(config), [config.primary_host])
expected, bug = gevent.spawn(fail, PyinfraError("the engine gave up")), gevent.spawn(fail, ValueError("a bug"))
gevent.joinall([expected, bug])
"""


def test_a_failure_that_is_reported_anyway_is_not_printed_as_a_traceback() -> None:
    """Run in a process of its own: the engine's import makes the whole process cooperative."""
    said = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stderr
    assert "the engine gave up" not in said
    assert "ValueError: a bug" in said
