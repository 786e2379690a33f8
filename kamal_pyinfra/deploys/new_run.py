"""The fixed values of a run."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.holder import current_holder
from kamal_pyinfra.config.version import git_email, git_name
from kamal_pyinfra.plan.run import Run


def new_run(config: Config, version: str, *, command: str = "deploy", **fields: Any) -> Run:
    """Make the values that stay the same on all hosts for one run.

    Args:
        config: the loaded configuration.
        version: the version to put into service.
        command: setup, deploy, redeploy or rollback.
        fields: whatever else of a run is not as usual.
    """
    return Run(
        config=config,
        version=version,
        run_id=secrets.token_hex(16),
        started_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        performer=git_email(),
        locked_by=git_name(),
        holder=current_holder(),
        command=command,
        is_setup=command == "setup",
        **fields,
    )
