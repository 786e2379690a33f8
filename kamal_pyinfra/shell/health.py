"""Loops that run on the host, so that waiting costs no round trips."""

from __future__ import annotations

from kamal_pyinfra.plan.state.desired import AppContainer
from kamal_pyinfra.shell.library import functions
from kamal_pyinfra.shell.script import words

PRINTABLE = r"LC_ALL=C tr -cd '\11\12\40-\176'"
"""For what containers print; as the function ``printable``."""
WAITING = "kp-waiting "
"""Begins a line that tells what a host waits for."""


def await_functions() -> str:
    """The shell function that :func:`await_ready` calls."""
    return functions("await_ready")


def await_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Wait until Docker calls the container healthy; without health check, until it stayed up long enough.

    A container that exits or restarts has failed at once. On failure the last health output and log lines go
    to standard error and the exit code is 1.

    Args:
        container: what to wait for.
        has_run: it was not started just now, so it may have restarted before.
    """
    restarts = "any" if has_run else 0
    return "await_ready " + words(
        container.name, container.deadline, container.readiness_delay, container.log_lines, restarts
    )


def still_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Exit with 1, and a report, if a container that was ready has stopped, restarted or become unhealthy since."""
    return "still_ready " + words(container.name, container.log_lines, "any" if has_run else 0)


def await_unhealthy(container: str, *, seconds: int) -> str:
    """Wait until Docker calls a container with a cut cord unhealthy; exit code 1 if it never does."""
    return f"await_unhealthy {words(container, seconds)}"
