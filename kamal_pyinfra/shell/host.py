"""Installing Docker, and the doctor's script."""

from __future__ import annotations

from kamal_pyinfra.shell.library import functions
from kamal_pyinfra.shell.script import guarded, words

DOCTOR_SECONDS = 40
"""For the whole script; a host that needs longer counts as hung."""


def install_docker() -> str:
    """Install Docker unless it answers, start its service, and let the SSH user use it."""
    return f"{functions('install_docker')}install_docker"


def doctor_script(*, registry: str, run_directory: str) -> str:
    """The script; it exits 0 whatever it finds.

    Args:
        registry: the registry's host, with its port unless it is the usual one.
        run_directory: the folder that a deploy would use.
    """
    name, _, port = registry.partition(":")
    asked = (registry, name, port or "443") if registry else ()
    return guarded(f"{functions('examine_host')}examine_host {words(run_directory, *asked)}", seconds=DOCTOR_SECONDS)
