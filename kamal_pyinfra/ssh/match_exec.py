"""``Match exec`` in an ``~/.ssh/config``, for paramiko.

paramiko has ``invoke`` for it. pyinfra puts its own way in the place of that, which takes the command for the name of a
script, so that nothing ever matches.
"""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

import kamal_pyinfra.ssh.late_imports  # noqa: F401 - must come before pyinfra

import pyinfra.connectors.sshuserclient.config  # noqa: F401 - before its own way is replaced below # isort: skip
from paramiko import config  # isort: skip

SECONDS = 30
"""For a command that only says yes or no."""


class Invoke:
    """What paramiko uses of ``invoke``."""

    @staticmethod
    def run(command: str, **_: Any) -> SimpleNamespace:
        """Run a command in the user's shell (ssh_config(5)).

        Returns:
            Whether it succeeded, as ``ok``.
        """
        shell = os.environ.get("SHELL") or "/bin/sh"
        argv, nothing = [shell, "-c", command], subprocess.DEVNULL
        try:
            done = subprocess.run(argv, stdin=nothing, stdout=nothing, check=False, timeout=SECONDS)  # noqa: S603 - the user's own configuration
        except subprocess.TimeoutExpired:
            return SimpleNamespace(ok=False)
        return SimpleNamespace(ok=done.returncode == 0)


config.invoke = Invoke  # type: ignore[attr-defined]
