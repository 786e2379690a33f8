"""Everything that the plan wants to know about a host, in one remote command."""

from __future__ import annotations

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from kamal_pyinfra.facts.parse_snapshot import parse_snapshot
from kamal_pyinfra.facts.rows import SnapshotError
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.shell.snapshot import SnapshotQuery, snapshot


class HostSnapshot(FactBase[ObservedHost | None]):
    """The host as the plan sees it; ``None`` only if the look failed, and then pyinfra fails the host."""

    @staticmethod
    def default() -> None:
        """A failed look is not an empty host."""
        return

    def command(self, host_name: str, query: SnapshotQuery) -> StringCommand:
        """The snapshot script.

        Args:
            host_name: the host's name in the configuration.
            query: what to look for.
        """
        self.host_name = host_name
        return StringCommand(snapshot(query))

    def process(self, output: list[str]) -> ObservedHost:
        """Lines of facts to one value."""
        try:
            return parse_snapshot(self.host_name, output)
        except SnapshotError as error:
            raise FactProcessError(str(error)) from error
