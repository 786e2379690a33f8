"""``docker run``, whatever the container is for: each part in one spelling, in Kamal 1.9's order of tokens."""

from __future__ import annotations

from kamal_pyinfra.naming import CLEAR_LABEL, DIGEST_LABEL
from kamal_pyinfra.plan.docker_values import split_command
from kamal_pyinfra.plan.proxy.router_names import HIDDEN
from kamal_pyinfra.plan.state.desired import ContainerSpec, Pairs, clear_labels
from kamal_pyinfra.shell.script import expandable, flags, join, quoted

SERVICE = "--detach --restart unless-stopped"
"""What a container has that stays until it is stopped, also when the host boots."""


def docker_run(spec: ContainerSpec, *more: str, last: str = "", command: str | None = None) -> str:
    """``docker run`` with more arguments, a container's options, its image and its command.

    What stands ``last`` is behind the options, so that it counts; ``command`` is quoted words in place of its own.
    """
    given = quoted(*split_command(spec.cmd or "")) if command is None else command
    return join("docker run", *more, flags(spec.options), last, quoted(spec.image), given)


def docker_run_once(spec: ContainerSpec, *more: str, command: str | None = None) -> str:
    """``docker run`` of a container that the proxy never publishes, whatever its options say."""
    return docker_run(spec, *more, last=quoted("--label", "=".join(HIDDEN)), command=command)


def start(name: str) -> str:
    """Start a container that is there."""
    return f"docker start {quoted(name)} > /dev/null"


def stop(*names: str, timeout: int | None = None) -> str:
    """Stop containers side by side; each has ``timeout`` seconds to finish its requests, and stays as it is."""
    return join("docker stop", "" if timeout is None else quoted("-t", timeout), quoted(*names), "> /dev/null")


def remove(*names: str) -> str:
    """Remove stopped containers; named volumes stay."""
    return f"docker rm {quoted(*names)} > /dev/null"


def environment(spec: ContainerSpec) -> str:
    """The secrets from a file, then the clear variables."""
    return join(
        quoted("--env-file", spec.env_file),
        *(f"--env {quoted(name)}={expandable(value)}" for name, value in spec.env),
    )


def logging(spec: ContainerSpec) -> str:
    """The log driver and its options."""
    return join(*(quoted(flag, value) for flag, value in spec.log_options))


def volumes(spec: ContainerSpec) -> str:
    """The volumes as written."""
    return join(*(quoted("--volume", volume) for volume in spec.volumes))


def labels(spec: ContainerSpec, *more: tuple[str, str], own: Pairs = ()) -> str:
    """The labels of a container, ``more`` that routing needs, and those by which kp knows it again."""
    clear = ((CLEAR_LABEL, names) for names in clear_labels(spec.env, spec.secret_names))
    every = (*spec.labels, *more, (DIGEST_LABEL, spec.digest), *own, *clear)
    return join(*(quoted("--label", f"{name}={value}") for name, value in every))
