"""Reads logs of containers and the audit log."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyinfra.connectors.util import CommandOutput

from kamal_pyinfra import naming
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.queries.log_lines import LogLine
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell import host as audit_commands
from kamal_pyinfra.shell import logs as log_commands
from kamal_pyinfra.shell.script import guarded
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import sanitized

READ_SECONDS = 600
"""For logs, which may be long and searched from their beginning."""


def roles_of(run: Run, host: str) -> list[str]:
    """Return the names of the selected roles that a host has."""
    return [role.name for role in run.config.roles if run.includes(role.name) and host in role.hosts]


def app_logs(run: Run, hosts: Collection[str], wanted: log_commands.LogFilter) -> dict[str, list[LogLine]]:
    """Return the last log lines of the running app containers, by host."""
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        commands = {
            host: guarded(log_commands.recent(run.owner, roles_of(run, host), wanted), seconds=READ_SECONDS)
            for host in session.hosts
        }
        found = _texts(session.each(lambda host: execute(host, commands[host.name])))
    parts = {host: [text.partition(log_commands.SEPARATOR) for text in texts] for host, texts in found.items()}
    return {
        host: [LogLine(host=host, container=name, label=name, text=text) for name, _, text in of_host]
        for host, of_host in parts.items()
    }


def container_logs(
    run: Run, hosts: Collection[str], container: str, label: str, wanted: log_commands.LogFilter
) -> dict[str, list[LogLine]]:
    """Return the last lines of a container that each host has."""
    found = read_hosts(run, hosts, guarded(log_commands.of_container(container, wanted), seconds=READ_SECONDS))
    return {
        host: [LogLine(host=host, container=container, label=label, text=text) for text in texts]
        for host, texts in found.items()
    }


def app_listings(run: Run, hosts: Collection[str]) -> dict[str, str]:
    """Return for each host what lists the app containers to follow."""
    return {host: log_commands.running_app(run.owner, roles_of(run, host)) for host in hosts}


def container_listings(hosts: Collection[str], container: str, label: str) -> dict[str, str]:
    """Return for each host what lists one container to follow."""
    return dict.fromkeys(hosts, log_commands.running_container(container, label))


def audit_lines(run: Run, hosts: Collection[str], *, lines: int) -> dict[str, list[str]]:
    """Return the last lines of the audit log, by host; none where nothing was done yet."""
    return read_hosts(run, hosts, audit_commands.recent(naming.audit_log(run.config), lines=lines))


def read_hosts(run: Run, hosts: Collection[str], command: str) -> dict[str, list[str]]:
    """Return what a command prints on each host."""
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        return _texts(session.execute(command, session.hosts))


def _texts(answers: Mapping[str, tuple[bool, CommandOutput] | None]) -> dict[str, list[str]]:
    """What each host printed, unless one failed."""
    failed = {host: answer for host, answer in answers.items() if answer is None or not answer[0]}
    if failed:
        errors = {host: answer[1].stderr_lines if answer else [] for host, answer in failed.items()}
        blocks = ["\n".join([f"{host} failed", *(f"  {sanitized(line)}" for line in errors[host])]) for host in failed]
        raise HostFailed("\n".join(block.rstrip() for block in blocks), list(failed))
    return {host: [sanitized(line) for line in answer[1].stdout_lines] for host, answer in answers.items() if answer}
