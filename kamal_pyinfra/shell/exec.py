"""Starting the app's containers as they are, and commands inside the app."""

from __future__ import annotations

from collections.abc import Mapping

from kamal_pyinfra.plan.state.desired import ContainerSpec
from kamal_pyinfra.shell.container import docker_run_once, environment, volumes
from kamal_pyinfra.shell.script import guarded, join, quoted

EXEC_SECONDS = 24 * 3600
WHOLE = ": kp-whole"
"""Ends variables on standard input. A value that ends so is followed by its quote or by a line break."""


def run_once(once: ContainerSpec, command: str, env: Mapping[str, str], *, is_terminal: bool) -> str:
    """Quoted words in a new container that is gone afterwards (Kamal 1.9: no name, labels, health check or assets)."""
    terminal, more = "-it --rm" if is_terminal else "--rm", _env(env, is_terminal=is_terminal)
    return docker_run_once(once, terminal, environment(once), more, volumes(once), command=command)


def run_inside(container: str, command: str, env: Mapping[str, str], *, is_terminal: bool) -> str:
    """A command in a container that runs; see :func:`run_once`."""
    shell = "docker exec -it" if is_terminal else "docker exec"
    return join(shell, _env(env, is_terminal=is_terminal), quoted(container), command)


def _env(env: Mapping[str, str], *, is_terminal: bool) -> str:
    # A name alone is taken from docker's own environment, so that no value is in a list of processes, save for those of
    # a command that is typed at.
    return " ".join(quoted("--env", f"{name}={value}" if is_terminal else name) for name, value in env.items())


def with_variables(command: str) -> str:
    """A command that gets :func:`variables` on standard input first, and then no input; it ends with the connection."""
    return guarded(f"receive_variables; {{ {command}\n}} < /dev/null", seconds=EXEC_SECONDS)


def variables(env: Mapping[str, str]) -> str:
    """Shell text that exports variables, and ends with a mark that it is whole."""
    return "".join(f"export {quoted(name)}={quoted(value)}\n" for name, value in env.items()) + f"{WHOLE}\n"
