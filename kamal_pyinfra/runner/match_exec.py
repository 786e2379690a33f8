"""``Match exec`` in an ``~/.ssh/config``, for paramiko.

paramiko loads ``invoke`` for it, forty modules. pyinfra puts its own way in the place of that, so that it is loaded for
nothing; but that takes the command for the name of a script, and nothing ever matches.
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
    import pyinfra.connectors.sshuserclient.config  # noqa: F401 - before its own way is replaced below
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
