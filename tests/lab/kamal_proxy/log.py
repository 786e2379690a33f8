"""The proxy's log: a JSON object a line, on stdout."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

is_debugging = False


def log(level: str, message: str, **fields: object) -> None:
    """Write one line; those of level DEBUG only where `run --debug` asked for them."""
    if level == "DEBUG" and not is_debugging:
        return
    line = {"time": datetime.now(UTC).isoformat(), "level": level, "msg": message, **fields}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def debug(is_on: bool) -> None:
    """Choose whether lines of level DEBUG are written."""
    global is_debugging  # noqa: PLW0603 - one process, one log
    is_debugging = is_on
