"""``Match exec`` in an ``~/.ssh/config``, for paramiko, without ``invoke``.

That would be forty modules more for every command to load, and with gevent its threads fail at the first byte that is
not there yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

IS_LOADED = "invoke" in sys.modules
if not IS_LOADED:
    sys.modules["invoke"] = None  # type: ignore[assignment] # Python then says that it is not there; paramiko goes on
try:
    from paramiko import config
finally:
    if not IS_LOADED:
        del sys.modules["invoke"]


class Invoke:
    """What paramiko uses of ``invoke``."""

    @staticmethod
    def run(command: str, **_: Any) -> SimpleNamespace:
        """Run a command in the user's shell (ssh_config(5)).

        Returns:
            Whether it succeeded, as ``ok``.
        """
        shell = os.environ.get("SHELL") or "/bin/sh"
        done = subprocess.run(  # noqa: S603 - the user's own configuration
            [shell, "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )
        return SimpleNamespace(ok=done.returncode == 0)


config.invoke = Invoke  # type: ignore[attr-defined]
