"""Whether the proxy's log would tell that a router is not taken."""

from __future__ import annotations

import subprocess

import pytest

from kamal_pyinfra.shell.script import functions


@pytest.mark.parametrize(
    ("driver", "arguments", "code"),
    [
        ("json-file", "--providers.docker", 0),
        ("local", "--log.level=ERROR", 0),
        ("json-file", "--log.level=FATAL", 1),
        ("json-file", "--log.level=panic", 1),
        ("json-file", "--log.filePath=/var/log/traefik.log", 1),
        ("none", "--log.level=DEBUG", 1),
    ],
)
def test_a_log_that_cannot_be_read_or_holds_no_errors_proves_nothing(driver: str, arguments: str, code: int) -> None:
    settings = f"log=; readable=no; driver={driver}; proxy='true [\"{arguments}\"]'"
    script = f"{functions('logs_errors')}{settings}; logs_errors"
    assert subprocess.run(["sh", "-c", script], check=False, capture_output=True, timeout=30).returncode == code
