"""What the scripts in ``deploys/`` call: ``pyinfra inventory.py deploys/deploy.py [--dry|-y|--limit HOST]``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pyinfra.api.exceptions import PyinfraError

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.deploys.pyinfra_cli import rollout
from kamal_pyinfra.deploys.pyinfra_cli.arguments import TRUE, script_words, typed_data
from kamal_pyinfra.errors import PATIENCE_SECONDS, ConfigError, KpError
from kamal_pyinfra.local.hooks import call_pre_connect, require_executable
from kamal_pyinfra.local.new_run import new_run
from kamal_pyinfra.operations.hook import listener
from kamal_pyinfra.operations.run_state import current_host, current_state, run_state
from kamal_pyinfra.plan.run import UNKNOWN, Run
from kamal_pyinfra.project.version import resolve_version

WITHOUT_VERSION = ("env", "prune", "traefik")


def run_of_this_state(command: str) -> Run:
    """The run's fixed values: pyinfra executes a script once per host, the run must be the same for all.

    Raises:
        PyinfraError: the configuration, a secret or the version is not usable.
    """
    state = current_state()

    def start() -> Run:
        try:
            run = _new_run(command)
            call_pre_connect(run, listener(state, current_host()))  # unless the inventory has
        except KpError as error:  # pyinfra shows its own errors as text, all others as a traceback
            raise PyinfraError(str(error)) from None
        rollout.install(state, run)
        return run

    return run_state(state).started(start)


def _new_run(command: str) -> Run:
    config = _config()
    require_secrets(config)
    if command == "setup":
        config.require_accessory_files(config.accessories)
    options = {"lock_wait": _lock_wait(), "skips_hooks": data_text("skip_hooks") in TRUE}
    if command in WITHOUT_VERSION:
        return new_run(config, UNKNOWN, command=command, **options)
    asked = data_text("version")
    if command == "rollback" and asked is None:
        raise ConfigError("which version? add --data version=VERSION")
    run = new_run(
        config,
        resolve_version(config, version=asked),
        command=command,
        is_build_allowed=command != "rollback" and data_text("skip_push") not in TRUE,
        hosts=rollout.hosts_within_limit(config.all_hosts),
        words=typed if (typed := script_words())[0] == command else (command,),
        **options,
    )
    require_executable(run)
    return run


def _lock_wait() -> int | None:
    text = data_text("lock_wait")
    if text is None:
        return None
    if text in TRUE:
        return PATIENCE_SECONDS
    if not text.isdecimal():
        raise ConfigError(f"--data lock_wait={text}: not a number of seconds; `true` waits for {PATIENCE_SECONDS}")
    return int(text)


def _config() -> Config:
    """The configuration, which the inventory may have loaded already."""
    path, destination = os.environ.get("KP_CONFIG", "config/deploy.yml"), os.environ.get("KP_DESTINATION")
    for config in run_state(current_state()).configs:
        if (config.source.path, config.destination) == (Path(path), destination):
            return config
    return load_config(path, destination=destination)


def data_text(name: str) -> str | None:
    """The text of ``--data NAME=TEXT`` as it was typed.

    pyinfra reads such values as JSON first, which turns the version ``12e5678`` into infinity; so the command
    line is asked, and pyinfra's host data only for what is not on it.
    """
    typed = typed_data(name)
    value = current_host().data.get(name) if typed is None else typed
    return None if value is None else str(value)


def _do(on_host: Callable[..., object], command: str) -> None:
    on_host(run=run_of_this_state(command))


deploy = partial(_do, rollout.roll_out, "deploy")
"""Put a version into service: ``--data version=…``, the variable VERSION, or git's commit."""
setup = partial(_do, rollout.roll_out, "setup")
"""Install Docker where it is missing, then deploy."""
redeploy = partial(_do, rollout.roll_out, "redeploy")
"""Deploy without looking after the proxy and without pruning."""
rollback = partial(_do, rollout.roll_out, "rollback")
"""Put the version of ``--data version=…``, still on the hosts, back into service."""
env_push = partial(_do, rollout.push_env_locked, "env")
"""Write the env files that differ."""
prune = partial(_do, rollout.prune_locked, "prune")
"""Remove old containers and images."""
traefik_reboot = partial(_do, rollout.reboot_proxies_locked, "traefik")
"""Replace the proxies, one host after the other."""
