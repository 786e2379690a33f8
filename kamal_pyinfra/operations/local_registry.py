"""The registry's credentials in this machine's Docker."""

from __future__ import annotations

import shutil
import subprocess

from kamal_pyinfra.commands import builder as commands
from kamal_pyinfra.errors import RegistryFailed
from kamal_pyinfra.operations.local_program import ANSWER_SECONDS
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.text import sanitized


def log_in(run: Run) -> None:
    """Log this machine in; the password travels on standard input.

    Raises:
        RegistryFailed: Docker is missing here, or the registry refuses.
    """
    username, password = run.config.registry_credentials()
    _execute(commands.log_in(run.config.registry.server, username), password.get_secret_value())


def log_out(run: Run) -> None:
    """Log this machine out.

    Raises:
        RegistryFailed: Docker is missing here.
    """
    _execute(commands.log_out(run.config.registry.server), "")


def _execute(command: list[str], stdin: str) -> None:
    if shutil.which("docker") is None:
        raise RegistryFailed("Docker is not installed on this machine; --skip-local leaves it out")
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of our own, no shell
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        shown = " ".join(command[:2])
        raise RegistryFailed(f"this machine: `{shown}` did not answer within {ANSWER_SECONDS} s") from None
    if done.returncode != 0:
        said = "\n".join(f"  {sanitized(line)}" for line in done.stderr.splitlines())
        raise RegistryFailed(f"this machine: `{' '.join(command[:2])}` failed\n{said}".rstrip())
