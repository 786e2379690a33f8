"""The project's hooks and their environment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.local.programs import Output, Programs, Running
from kamal_pyinfra.plan.run import UNKNOWN, Run
from kamal_pyinfra.project.version import resolve_version
from kamal_pyinfra.text import sanitized

WAY_OUT = "Mend the cause and run the same command again; --skip-hooks (pyinfra: --data skip_hooks=true) goes without."
SERVES_NOW = f"What served before serves now. {WAY_OUT}"
STATES = {
    "pre-connect": f"Nothing was changed. {WAY_OUT}",
    "pre-build": f"Nothing was changed on any host. {WAY_OUT}",
    "pre-deploy": SERVES_NOW,
    "post-deploy": (
        "The deploy itself is done: {version} serves. A run that finds nothing to change does not call this hook\n"
        "again; run it by hand if it is needed."
    ),
    "docker-setup": SERVES_NOW,
    "pre-traefik-reboot": f"The proxy was not rebooted on {{hosts}}. {WAY_OUT}",
    "post-traefik-reboot": "The proxy was rebooted on {hosts}.",
}
"""The state after each hook has failed."""


def hook_path(config: Config, name: str) -> str:
    """Path of a hook, as the user writes it: relative to where the run was started, or absolute."""
    return f"{config.hooks_path}/{name}"


def hook_environment(
    run: Run, *, at: str, hosts: Sequence[str] = (), runtime: float | None = None
) -> dict[str, str | None]:
    """The variables of a call at a time (ISO 8601); those that are ``None`` must not be inherited from another run."""
    config = run.config
    command, subcommand = (*(run.words or (run.command,)), "", "")[:2]
    values = {
        "RECORDED_AT": at,
        "PERFORMER": run.performer,
        "DESTINATION": config.destination,
        "VERSION": run.version,
        # A commit is cut short.
        "SERVICE_VERSION": f"{config.service}@{run.version if '_' in run.version else run.version[:7]}",
        "SERVICE": config.service,
        "HOSTS": ",".join(hosts or run.hosts or (server.host for server in config.role_hosts)),
        "COMMAND": command,
        "SUBCOMMAND": subcommand,
        "ROLE": ",".join(run.roles),
        "RUNTIME": None if runtime is None else str(round(runtime)),
    }
    return {f"KAMAL_{name}": value or None for name, value in values.items()}


def has_hook(run: Run, name: str) -> bool:
    """Whether a hook is to be called."""
    return not run.skips_hooks and os.path.lexists(_file(run.config, name))


def require_executable(run: Run) -> None:
    """Find hooks before the run that could not be run later on."""
    if lines := "\n".join(filter(None, (_not_executable(run, name) for name in STATES))):
        raise HookFailed(lines)


def call_pre_connect(run: Run, output: Output) -> None:
    """Call ``pre-connect``, once for a loaded configuration; to be called before any connection."""
    called = run.config.source.called_hooks
    if "pre-connect" not in called:
        called.add("pre-connect")
        call_hook(run, "pre-connect", output)


def call_hook(
    run: Run,
    name: str,
    output: Output,
    *,
    hosts: Sequence[str] = (),
    runtime: float | None = None,
    running: Running | None = None,
) -> None:
    """Call a hook if there is one, and wait for its end; it has the variables of env files too, as in Kamal 1.9.

    Args:
        output: called with each line that it prints, free of control characters and of the configuration's secrets.
        hosts: names of the hosts that it is about; by default those of the run.
        runtime: seconds that the deploy took, for ``post-deploy``.
    """
    if not has_hook(run, name):
        return
    if problem := _not_executable(run, name):
        raise HookFailed(problem)
    with_version = run
    with suppress(ConfigError):  # a command about no version gives its hook the one of the project, if any (Kamal 1.9)
        with_version = replace(run, version=resolve_version(run.config)) if run.version == UNKNOWN else run
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    variables = hook_environment(with_version, at=now, hosts=hosts, runtime=runtime)
    programs = Programs(
        output,
        env=variables,
        folder=run.config.source.root,
        base=run.config.source.environ,
        has_terminal=False,
        running=set() if running is None else running,
    )
    if (end := programs.run([str(_file(run.config, name))])).failure:
        state = STATES[name].format(version=variables["KAMAL_VERSION"], hosts=variables["KAMAL_HOSTS"])
        where = replace(end, failure=f"{end.failure} ({hook_path(run.config, name)})")
        raise HookFailed(sanitized(f"{where.message(f'Hook `{name}`')}\n{state}"))


def _file(config: Config, name: str) -> Path:
    return config.source.root / hook_path(config, name)


def _not_executable(run: Run, name: str) -> str:
    """Why a hook cannot be called; empty if it can, or there is none. What is no file fails when it starts."""
    file, path = _file(run.config, name), hook_path(run.config, name)
    if not has_hook(run, name) or not file.is_file() or os.access(file, os.X_OK):
        return ""
    return f"Hook `{name}` is not executable: run `chmod +x {path}`, or go without hooks with --skip-hooks."
