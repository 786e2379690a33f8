"""Asks Traefik whether it routes to a server or has dropped it."""

from __future__ import annotations

from kamal_pyinfra.shell.library import functions
from kamal_pyinfra.shell.script import words

ASKING_SECONDS = 15

THROTTLE_SECONDS = 2
"""Traefik applies a change at most that often (``providersThrottleDuration``)."""


def route_functions() -> str:
    """The shell functions that the other builders call."""
    return functions("note_servers", "await_dropped", "drops")


def note_servers(containers: tuple[str, ...]) -> str:
    """Remember when it was, under which addresses the proxy knows these containers, and whether it can be asked."""
    return f"note_servers {words(*containers)}"


def await_dropped() -> str:
    """Wait until the proxy sends nothing to the noted servers any more."""
    return "await_dropped"
