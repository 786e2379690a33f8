"""Text that hosts have: log files and the output of containers; nothing is changed."""

from __future__ import annotations

from collections.abc import Collection

from pyinfra.connectors.util import CommandOutput

from kamal_pyinfra import naming
from kamal_pyinfra.commands import audit as audit_commands
from kamal_pyinfra.commands import logs as log_commands
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.text import sanitized
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.signals import interruptible


def audit_lines(run: Run, hosts: Collection[str], *, lines: int) -> dict[str, list[str]]:
    """The last lines of the audit log, by host; none where nothing was done yet.

    Raises:
        HostFailed: a host could not be reached, or its log not read.
    """
    return read_hosts(run, hosts, audit_commands.recent(naming.audit_log(run.config), lines=lines))


def proxy_logs(
    run: Run, hosts: Collection[str], *, lines: int | None, since: str | None, grep: str | None
) -> dict[str, list[str]]:
    """The last lines that the proxy of each host wrote.

    Raises:
        HostFailed: a host could not be reached, or has no proxy.
    """
    return read_hosts(
        run, hosts, log_commands.of_container(naming.PROXY_CONTAINER, lines=lines, since=since, grep=grep)
    )


def read_hosts(run: Run, hosts: Collection[str], command: str) -> dict[str, list[str]]:
    """What a command prints on each host.

    Raises:
        HostFailed: a host could not be reached, or the command failed there.
    """
    with interruptible(), Session(run, hosts) as session:
        session.require_hosts()
        answers = session.execute(command, session.hosts)
    failed = {host: _said(answer) for host, answer in answers.items() if answer is None or not answer[0]}
    if failed:
        raise HostFailed("\n".join(f"{host} failed\n{said}".rstrip() for host, said in failed.items()), list(failed))
    return {host: [sanitized(line) for line in answer[1].stdout_lines] for host, answer in answers.items()}


def _said(answer: tuple[bool, CommandOutput] | None) -> str:
    return "\n".join(f"  {sanitized(line)}" for line in answer[1].stderr_lines) if answer else ""
