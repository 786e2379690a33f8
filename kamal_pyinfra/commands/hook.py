"""Hooks: where they are, and what their environment tells them. Source of the names: Kamal 1.9."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.config import Config
from kamal_pyinfra.plan.run import Run

HOOKS = (
    "pre-connect",
    "pre-build",
    "pre-deploy",
    "post-deploy",
    "docker-setup",
    "pre-traefik-reboot",
    "post-traefik-reboot",
)

VARIABLES = (
    "KAMAL_RECORDED_AT",
    "KAMAL_PERFORMER",
    "KAMAL_DESTINATION",
    "KAMAL_VERSION",
    "KAMAL_SERVICE_VERSION",
    "KAMAL_SERVICE",
    "KAMAL_HOSTS",
    "KAMAL_COMMAND",
    "KAMAL_SUBCOMMAND",
    "KAMAL_ROLE",
    "KAMAL_RUNTIME",
)
"""All that a hook may be told; one that is not set must not be inherited from a run around this one."""

SHORT = 7


def hook_path(config: Config, name: str) -> str:
    """Path of a hook, as the user writes it: relative to where the run was started, or absolute."""
    return f"{config.hooks_path}/{name}"


def hook_environment(run: Run, *, at: str, hosts: Sequence[str] = (), runtime: float | None = None) -> dict[str, str]:
    """The variables of one call of a hook, without those that do not apply.

    Args:
        run: the run's fixed values.
        at: when the hook is called, UTC, ISO 8601.
        hosts: names of the hosts that it is about; by default those of the run.
        runtime: seconds that the deploy took, for post-deploy.
    """
    config = run.config
    command, subcommand = (*(run.words or (run.command,)), "", "")[:2]
    values = (
        at,
        run.performer,
        config.destination,
        run.version,
        service_version(config.service, run.version),
        config.service,
        ",".join(hosts or run.hosts or (server.host for server in config.role_hosts)),
        command,
        subcommand,
        ",".join(run.roles),
        None if runtime is None else str(round(runtime)),
    )
    return {name: value for name, value in zip(VARIABLES, values, strict=True) if value}


def service_version(service: str, version: str) -> str:
    """``SERVICE@VERSION`` with a commit cut short; a version with a ``_`` stays whole."""
    return f"{service}@{version if '_' in version else version[:SHORT]}"
