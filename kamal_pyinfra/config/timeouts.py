"""How long each wait of a deploy may last, from the keys that say so and the defaults of those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kamal_pyinfra.config.values import OURS, Count, Seconds

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config
    from kamal_pyinfra.config.role import Role

StopWaitTime = Annotated[
    Count | None, Field(description="Seconds between TERM and KILL for app containers; Docker's 10 without it.")
]
ReadinessDelay = Annotated[Count, Field(description="Seconds that a container without health check must keep running.")]
DeployTimeout = Annotated[
    Seconds | None,
    Field(
        description="Seconds for a new container to get healthy; without it `healthcheck/max_attempts` says.",
        json_schema_extra=OURS,
    ),
]
DrainTimeout = Annotated[
    Seconds | None,
    Field(
        description="Seconds for an old container to leave traffic once its cord is cut, beside four health checks (30"
        " without it), and then to end its requests after TERM, unless `stop_wait_time` says.",
        json_schema_extra=OURS,
    ),
]
PullTimeout = Annotated[
    Seconds, Field(description="Seconds that the pull of one image may take.", json_schema_extra=OURS)
]

DRAIN_SECONDS = 30
PULL_SECONDS = 1800
NOTICE_INTERVALS = 4
"""Docker needs three failed probes; a probe may hang, and the interval is the user's."""


def ready_seconds(config: Config, role: Role) -> int:
    """Until an app counts as never healthy: ``deploy_timeout``, else Kamal 1.9's 1 + 2 + … + ``max_attempts``."""
    attempts = role.healthcheck.max_attempts
    return attempts * (attempts + 1) // 2 if config.deploy_timeout is None else config.deploy_timeout


def drain_seconds(config: Config) -> int:
    """Until an old container must be out of traffic once its cord is cut, :func:`notice_seconds` aside."""
    return DRAIN_SECONDS if config.drain_timeout is None else config.drain_timeout


def notice_seconds(health_interval: float) -> int:
    """Within which Docker surely calls a container with a cut cord unhealthy.

    Args:
        health_interval: seconds between two of its health checks.
    """
    return int(NOTICE_INTERVALS * health_interval)


def stop_seconds(config: Config) -> int | None:
    """Between TERM and KILL: ``stop_wait_time`` (Kamal 1.9), else ``drain_timeout``; ``None`` is Docker's own 10."""
    return config.drain_timeout if config.stop_wait_time is None else config.stop_wait_time
