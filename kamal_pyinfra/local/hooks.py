"""The project's hooks and their environment."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.local.programs import SilentError, run_program
from kamal_pyinfra.plan.run import UNKNOWN, Run
from kamal_pyinfra.project.version import resolve_version
from kamal_pyinfra.text import sanitized

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


Say = Callable[[str], None]

LAST_LINES = 40

WAY_OUT = "Mend the cause and run the same command again; --skip-hooks (pyinfra: --data skip_hooks=true) goes without."

SERVES_NOW = f"What served before serves now. {WAY_OUT}"

STATES = {
    "pre-connect": f"Nothing was changed. {WAY_OUT}",
    "pre-build": f"Nothing was changed on any host. {WAY_OUT}",
    "docker-setup": SERVES_NOW,
    "pre-deploy": SERVES_NOW,
    "post-deploy": (
        "The deploy itself is done: {version} serves. A run that finds nothing to change does not call this hook\n"
        "again; run it by hand if it is needed."
    ),
    "pre-traefik-reboot": f"The proxy was not rebooted on {{hosts}}. {WAY_OUT}",
    "post-traefik-reboot": "The proxy was rebooted on {hosts}.",
}

_CONNECTED: set[tuple[Path, Path, str | None]] = set()


def has_hook(run: Run, name: str) -> bool:
    """Whether a hook is to be called."""
    return not run.skips_hooks and os.path.lexists(_file(run.config, name))


def require_executable(run: Run) -> None:
    """Find out before the run that a hook could not be run later on.

    Raises:
        HookFailed: with a line for each hook that is not executable.
    """
    lines = [_not_executable(run, name) for name in HOOKS if has_hook(run, name) and not _is_executable(run, name)]
    if lines:
        raise HookFailed("\n".join(lines))


def call_pre_connect(run: Run, say: Say) -> None:
    """Call ``pre-connect``, once per process and configuration: whoever connects calls this first.

    Raises:
        HookFailed: as :func:`call_hook`.
    """
    key = (run.config.root, run.config.path, run.config.destination)
    if key not in _CONNECTED:
        _CONNECTED.add(key)
        call_hook(run, "pre-connect", say)


def call_hook(run: Run, name: str, say: Say, *, hosts: Sequence[str] = (), runtime: float | None = None) -> None:
    """Call a hook if there is one, and wait for its end.

    Args:
        run: the run's fixed values.
        name: the file's name in ``hooks_path``.
        say: called with each line that it writes, free of control characters and of the configuration's secrets.
        hosts: names of the hosts that it is about; by default those of the run.
        runtime: seconds that the deploy took, for ``post-deploy``.

    Raises:
        HookFailed: it is not executable, could not be started, or ended with an error.
    """
    if not has_hook(run, name):
        return
    if not _is_executable(run, name):
        raise HookFailed(_not_executable(run, name))
    last: deque[str] = deque(maxlen=LAST_LINES)

    def hear(line: str) -> None:
        last.append(sanitized(line.rstrip()))
        say(last[-1])

    told = hook_environment(_with_version(run), at=_now(), hosts=hosts, runtime=runtime)
    try:
        code = run_program(_file(run.config, name), folder=run.config.root, environ=_inherited(run) | told, hear=hear)
    except SilentError as error:
        raise HookFailed(_message(run, name, str(error), last, told)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a variable cannot be handed over"
        raise HookFailed(_message(run, name, f"could not be started: {reason}", [], told)) from None
    if code != 0:
        end = f"failed with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise HookFailed(_message(run, name, end, last, told))


def _file(config: Config, name: str) -> Path:
    return config.root / hook_path(config, name)


def _is_executable(run: Run, name: str) -> bool:
    path = _file(run.config, name)
    return not path.is_file() or os.access(path, os.X_OK)  # what is no file at all fails when it is started


def _not_executable(run: Run, name: str) -> str:
    path = hook_path(run.config, name)
    return f"Hook `{name}` is not executable: run `chmod +x {path}`, or go without hooks with --skip-hooks."


def _message(run: Run, name: str, end: str, last: Sequence[str], told: dict[str, str]) -> str:
    said = [f"  {line}" for line in last]
    state = STATES[name].format(version=told["KAMAL_VERSION"], hosts=told["KAMAL_HOSTS"])
    return sanitized("\n".join([f"Hook `{name}` {end} ({hook_path(run.config, name)})", *said, state]))


def _with_version(run: Run) -> Run:
    """A command about no version tells its hook the one of the project (Kamal 1.9), if there is one."""
    if run.version != UNKNOWN:
        return run
    try:
        return replace(run, version=resolve_version(run.config))
    except ConfigError:
        return run


def _inherited(run: Run) -> dict[str, str]:
    """The environment of the process and of the env files, as in Kamal 1.9."""
    return {name: value for name, value in run.config.environ.items() if name not in VARIABLES}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
