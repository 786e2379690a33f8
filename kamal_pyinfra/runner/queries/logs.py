"""Reads logs of containers and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyinfra.connectors.util import CommandOutput

from kamal_pyinfra import naming
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.plan.desired.host import owner_of
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.queries.log_lines import LogLine
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell import host as audit_commands
from kamal_pyinfra.shell import logs as log_commands
from kamal_pyinfra.shell.logs import LogFilter
from kamal_pyinfra.shell.script import guarded
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import sanitized

READ_SECONDS = 600
"""For logs, which may be long and searched from their beginning."""


def logs(run: Run, hosts: Collection[str], wanted: LogFilter) -> dict[str, list[LogLine]]:
    """The last log lines of the running app containers, by host.

    Raises:
        HostFailed: a host could not be reached, or its logs not read.
    """
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        commands = {
            host: guarded(log_commands.recent(owner_of(run), roles_of(run, host), wanted), seconds=READ_SECONDS)
            for host in session.hosts
        }
        found = _texts(session.each(lambda host: execute(host, commands[host.name])))
    return {host: [_app_line(host, text) for text in texts] for host, texts in found.items()}


def _app_line(host: str, text: str) -> LogLine:
    container, _, rest = text.partition(log_commands.SEPARATOR)
    return LogLine(host=host, container=container, label=container, text=rest)


def app_listings(run: Run, hosts: Collection[str]) -> dict[str, str]:
    """For each host, what lists the app containers to follow."""
    return {host: log_commands.running_app(owner_of(run), roles_of(run, host)) for host in hosts}


def proxy_listings(hosts: Collection[str]) -> dict[str, str]:
    """For each host, what lists the proxy to follow."""
    listing = log_commands.running_container(naming.PROXY_CONTAINER, naming.PROXY_CONTAINER)
    return dict.fromkeys(hosts, listing)


def roles_of(run: Run, host: str) -> list[str]:
    """Names of the selected roles that a host has."""
    return [role.name for role in run.config.roles if run.includes(role.name) and role.runs_on(host)]


def audit_lines(run: Run, hosts: Collection[str], *, lines: int) -> dict[str, list[str]]:
    """The last lines of the audit log, by host; none where nothing was done yet.

    Raises:
        HostFailed: a host could not be reached, or its log not read.
    """
    return read_hosts(run, hosts, audit_commands.recent(naming.audit_log(run.config), lines=lines))


def proxy_logs(run: Run, hosts: Collection[str], wanted: LogFilter) -> dict[str, list[LogLine]]:
    """The last lines that the proxy of each host wrote.

    Raises:
        HostFailed: a host could not be reached, or has no proxy.
    """
    return container_logs(run, hosts, naming.PROXY_CONTAINER, naming.PROXY_CONTAINER, wanted)


def container_logs(
    run: Run, hosts: Collection[str], container: str, label: str, wanted: LogFilter
) -> dict[str, list[LogLine]]:
    """The last lines of a container that each host has.

    Raises:
        HostFailed: a host could not be reached, or has no such container.
    """
    found = read_hosts(run, hosts, guarded(log_commands.of_container(container, wanted), seconds=READ_SECONDS))
    return {
        host: [LogLine(host=host, container=container, label=label, text=text) for text in texts]
        for host, texts in found.items()
    }


def read_hosts(run: Run, hosts: Collection[str], command: str) -> dict[str, list[str]]:
    """What a command prints on each host.

    Raises:
        HostFailed: a host could not be reached, or the command failed there.
    """
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        return _texts(session.execute(command, session.hosts))


def _texts(answers: Mapping[str, tuple[bool, CommandOutput] | None]) -> dict[str, list[str]]:
    """What each host said, unless one failed."""
    failed = {host: _said(answer) for host, answer in answers.items() if answer is None or not answer[0]}
    if failed:
        raise HostFailed("\n".join(f"{host} failed\n{said}".rstrip() for host, said in failed.items()), list(failed))
    return {host: [sanitized(line) for line in answer[1].stdout_lines] for host, answer in answers.items() if answer}


def _said(answer: tuple[bool, CommandOutput] | None) -> str:
    return "\n".join(f"  {sanitized(line)}" for line in answer[1].stderr_lines) if answer else ""


def accessory_logs(run: Run, name: str, hosts: Collection[str], wanted: LogFilter) -> dict[str, list[LogLine]]:
    """The last lines of an accessory, by host.

    Raises:
        HostFailed: a host could not be reached, or has no such container.
    """
    container = naming.accessory_container(run.config, name)
    return container_logs(run, hosts, container, name, wanted)


def accessory_listings(run: Run, name: str, hosts: Collection[str]) -> dict[str, str]:
    """For each host, what lists the accessory to follow."""
    listing = log_commands.running_container(naming.accessory_container(run.config, name), name)
    return dict.fromkeys(hosts, listing)
