"""What a run tells whoever watches it; the command line decides how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.runner.failures import HostFailure


class Report(Protocol):
    """Told about a run as it goes on."""

    def planned(self, plan: Plan) -> None:
        """The plan is known; nothing has changed yet."""

    def phase_began(self, phase: str, hosts: Sequence[str]) -> None:
        """A phase starts on these hosts; without hosts it happens on this machine."""

    def batch_began(self, number: int, of: int, hosts: Sequence[str]) -> None:
        """The next of several batches boots, counted from 1."""

    def gate(self, hosts: Sequence[str], *, passed: bool) -> None:
        """All containers of a batch are healthy, or not; nothing has been switched."""

    def heard(self, host: str, line: str) -> None:
        """A host printed a line while a command runs on it."""

    def operation_began(self, name: str) -> None:
        """An operation starts on all hosts of the phase."""

    def host_finished(self, host: str, operation: str, *, succeeded: bool) -> None:
        """One host is through with an operation; others may still be at it."""

    def operation_ended(self, name: str, changed: Sequence[str]) -> None:
        """All hosts are through with an operation; it changed something on these."""

    def phase_ended(self, phase: str, *, succeeded: bool) -> None:
        """A phase is over on all its hosts."""

    def output(self, line: str) -> None:
        """A line from a program on this machine."""

    def warned(self, text: str) -> None:
        """Something works, but perhaps not as meant."""

    def failed(self, failure: HostFailure) -> None:
        """A host failed."""

    def finished(self, seconds: float) -> None:
        """All is done."""
