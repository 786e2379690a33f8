"""The project's hooks and their environment."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
SHORT = 7


def hook_path(config: Config, name: str) -> str:
    """Path of a hook, as the user writes it: relative to where the run was started, or absolute."""
    return f"{config.hooks_path}/{name}"


def hook_environment(
    run: Run, *, at: str, hosts: Sequence[str] = (), runtime: float | None = None
) -> dict[str, str | None]:
    """The variables of one call of a hook; those that are ``None`` must not be inherited from a run around this one.

    Args:
        at: when the hook is called, UTC, ISO 8601.
        hosts: names of the hosts that it is about; by default those of the run.
        runtime: seconds that the deploy took, for post-deploy.
    """
    config = run.config
    command, subcommand = (*(run.words or (run.command,)), "", "")[:2]
    values = {
        "RECORDED_AT": at,
        "PERFORMER": run.performer,
        "DESTINATION": config.destination,
        "VERSION": run.version,
        "SERVICE_VERSION": service_version(config.service, run.version),
        "SERVICE": config.service,
        "HOSTS": ",".join(hosts or run.hosts or (server.host for server in config.role_hosts)),
        "COMMAND": command,
        "SUBCOMMAND": subcommand,
        "ROLE": ",".join(run.roles),
        "RUNTIME": None if runtime is None else str(round(runtime)),
    }
    return {f"KAMAL_{name}": value or None for name, value in values.items()}


def service_version(service: str, version: str) -> str:
    """``SERVICE@VERSION`` with a commit cut short; a version with a ``_`` stays whole."""
    return f"{service}@{version if '_' in version else version[:SHORT]}"


def has_hook(run: Run, name: str) -> bool:
    """Whether a hook is to be called."""
    return not run.skips_hooks and os.path.lexists(_file(run.config, name))


def require_executable(run: Run) -> None:
    """Find hooks before the run that could not be run later on."""
    lines = list(filter(None, (_not_executable(run, name) for name in STATES)))
    if lines:
        raise HookFailed("\n".join(lines))


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
    """Call a hook if there is one, and wait for its end.

    Args:
        name: the file's name in ``hooks_path``.
        output: called with each line that it prints, free of control characters and of the configuration's secrets.
        hosts: names of the hosts that it is about; by default those of the run.
        runtime: seconds that the deploy took, for ``post-deploy``.
        running: has it as long as it runs.
    """
    if not has_hook(run, name):
        return
    if problem := _not_executable(run, name):
        raise HookFailed(problem)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    variables = hook_environment(_with_version(run), at=at, hosts=hosts, runtime=runtime)
    programs = Programs(
        output,
        env=variables,
        folder=run.config.source.root,
        base=run.config.source.environ,  # of the process and of the env files, as in Kamal 1.9
        has_terminal=False,
        running=set() if running is None else running,
    )
    end = programs.run([str(_file(run.config, name))])
    if end.failure:
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


def _with_version(run: Run) -> Run:
    """A command about no version gives its hook the one of the project (Kamal 1.9), if there is one."""
    if run.version != UNKNOWN:
        return run
    try:
        return replace(run, version=resolve_version(run.config))
    except ConfigError:
        return run
