"""kp accessory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.config.secrets import require_secrets
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.operations.audit import audited
from kamal_pyinfra.plan.desired.accessory import accessory_container
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.table import TASKS
from kamal_pyinfra.runner.queries.log_lines import LogLine
from kamal_pyinfra.runner.queries.logs import container_logs, read_hosts
from kamal_pyinfra.shell import accessory as commands
from kamal_pyinfra.shell import logs as log_commands
from kamal_pyinfra.shell.exec import EXEC_SECONDS
from kamal_pyinfra.shell.logs import LogFilter
from kamal_pyinfra.shell.script import chain, guarded

ALL = "all"


def chosen(config: Config, name: str) -> tuple[str, ...]:
    """The accessories that a name means.

    Raises:
        ConfigError: there is none of that name.
    """
    if name == ALL and name not in config.accessories:
        return tuple(config.accessories)
    if name not in config.accessories:
        raise ConfigError(unknown(config, name))
    return (name,)


def unknown(config: Config, name: str) -> str:
    """What to say of a name that nothing has."""
    options = " and ".join(config.accessories) or "none"
    return f"No accessory by the name of {name!r} (options: {options})"


def accessory_run(run: Run, names: tuple[str, ...], command: str) -> Run:
    """The run that may look at these accessories and at nothing else.

    Raises:
        ConfigError: they are booted, and a secret or a local file of theirs is missing.
    """
    if command in ("boot", "reboot", "upload"):
        run.config.require_accessory_files(names)
    task = TASKS.get(f"accessory {command}")
    keeps_env = task is None or not task.needs_secrets
    if not keeps_env:
        require_secrets(run.config)
    told = "accessory reboot" if command == "reboot" else "accessory"
    return replace(run, accessories=names, roles=(), command=told, keeps_env=keeps_env)


def hosts_of(config: Config, names: Collection[str], hosts: Collection[str]) -> tuple[str, ...]:
    """Those of the hosts that carry one of the accessories.

    Raises:
        ConfigError: there is none among them.
    """
    carriers = {server.host for name in names for server in config.accessory_servers(name)}
    found = tuple(host for host in hosts if host in carriers)
    if not found:
        where = ", ".join(sorted(carriers)) or "no host"
        raise ConfigError(f"No selected host carries {', '.join(names) or 'an accessory'}; {where} does")
    return found


def logs(run: Run, name: str, hosts: Collection[str], wanted: LogFilter) -> dict[str, list[LogLine]]:
    """The last lines of an accessory, by host.

    Raises:
        HostFailed: a host could not be reached, or has no such container.
    """
    container = naming.accessory_container(run.config, name)
    return container_logs(run, hosts, container, name, wanted)


def listings(run: Run, name: str, hosts: Collection[str]) -> dict[str, str]:
    """For each host, what lists the accessory to follow."""
    listing = log_commands.running_container(naming.accessory_container(run.config, name), name)
    return dict.fromkeys(hosts, listing)


def execute(run: Run, name: str, hosts: Collection[str], command: str, *, is_reused: bool) -> dict[str, list[str]]:
    """What a command printed on each host.

    Raises:
        HostFailed: a host could not be reached, or the command failed.
    """
    line = execute_command(run, name, command, is_reused=is_reused)
    return read_hosts(run, hosts, guarded(line, seconds=EXEC_SECONDS))


def execute_command(run: Run, name: str, command: str, *, is_reused: bool, is_terminal: bool = False) -> str:
    """Shell text for a host that runs a command in an accessory."""
    container = accessory_container(run, name)
    line = commands.execute(container, command, is_reused=is_reused, is_terminal=is_terminal)
    return chain(audited(run, f"Executed cmd '{command}' on {name} accessory"), line)
