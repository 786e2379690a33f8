"""Runs commands one after the other in this process and prints, as JSON, how each ended; see test_failures.py."""

from __future__ import annotations

import json
import sys

from click.testing import CliRunner
from pyinfra.connectors import ssh

from kamal_pyinfra.cli.main import kp
from kamal_pyinfra.ssh import client


def main(lines: list[str]) -> None:
    """Run each line, without the engine's pauses between two attempts to connect."""
    ssh.sleep = lambda seconds: None
    client.BACK_OFF = (0.0,)
    ended = {}
    for line in lines:
        result = CliRunner().invoke(kp, line.split())
        ended[line] = (result.exit_code, f"{result.output}{result.exception}")
    sys.stdout.write("\n" + json.dumps(ended))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
