"""The phases of a command on a session, told to a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from kamal_pyinfra.errors import HookFailed, HostFailed
from kamal_pyinfra.local.hooks import call_hook, has_hook
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.words import brief_message, failure_message

if TYPE_CHECKING:
    from kamal_pyinfra.runner.session import Session


class Steps:
    """What a command does on its hosts, phase by phase.

    Args:
        session: connections to the hosts that take part.
        report: told about every phase.
    """

    def __init__(self, session: Session, report: Report) -> None:
        self.session = session
        self.report = report

    def phase(
        self,
        name: str,
        deploy: Callable[..., Any],
        *,
        hosts: Sequence[str] | None = None,
        is_strict: bool = True,
        arguments: dict[str, Any] | None = None,
    ) -> bool:
        """Run one deploy function as one round.

        Args:
            name: what the report calls it.
            deploy: a function of ``kamal_pyinfra.deploys``.
            hosts: names; by default all that still take part.
            is_strict: stop after the first operation that fails on a host; else the other hosts go on.
            arguments: for the deploy function, besides the run.

        Returns:
            Whether it succeeded on every host.
        """
        chosen = self.session.hosts if hosts is None else list(hosts)
        self.report.phase_began(name, chosen)
        succeeded = self.session.round(deploy, hosts=chosen, is_strict=is_strict, **(arguments or {}))
        self.report.phase_ended(name, succeeded=succeeded)
        return succeeded

    def hook(self, name: str, *, hosts: Sequence[str] = (), runtime: float | None = None) -> None:
        """Call a hook if there is one.

        Args:
            name: ``pre-deploy``.
            hosts: names of the hosts that it is about; by default those of the run.
            runtime: seconds that the deploy took, for ``post-deploy``.

        Raises:
            HookFailed: it failed; the run must not go on.
        """
        if not has_hook(self.session.run, name):
            return
        self.report.phase_began(name, [])
        try:
            call_hook(self.session.run, name, self.report.output, hosts=hosts, runtime=runtime)
        except HookFailed:
            self.report.phase_ended(name, succeeded=False)
            raise
        self.report.phase_ended(name, succeeded=True)

    def fail(self, state: str) -> NoReturn:
        """Report every failure so far and stop.

        Args:
            state: what state the fleet is in now.

        Raises:
            HostFailed: always.
        """
        failures = list(self.session.failures.values())
        for failure in failures:
            self.report.failed(failure)
        hosts = [failure.host for failure in failures]
        raise HostFailed(failure_message(failures, state), hosts, brief=brief_message(failures, state))
