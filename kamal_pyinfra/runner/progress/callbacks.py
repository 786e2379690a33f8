"""pyinfra's callbacks of a round become events."""

from __future__ import annotations

from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State

from kamal_pyinfra.runner.progress.report import Report


class Progress(BaseStateCallback):
    """Pass on what the engine does.

    Args:
        report: told about each operation and host.
    """

    def __init__(self, report: Report) -> None:
        self.report = report

    def operation_start(self, state: State, op_hash: str) -> None:  # type: ignore[override] # an instance serves as the handler
        """An operation starts."""
        self.report.operation_began(_name(state, op_hash))

    def operation_host_success(  # type: ignore[override]
        self, state: State, host: Host, op_hash: str, retry_count: int = 0
    ) -> None:
        """A host is through."""
        self.report.host_finished(host.name, _name(state, op_hash), succeeded=True)

    def operation_host_error(  # type: ignore[override]
        self, state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        """A host failed."""
        self.report.host_finished(host.name, _name(state, op_hash), succeeded=False)

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override] # an instance serves as the handler
        """All hosts are through; only now the engine knows where something changed."""
        done = {host: state.ops[host][op_hash] for host in state.inventory if op_hash in state.ops[host]}
        changed = [
            host.name
            for host, data in done.items()
            if data.operation_meta.is_complete() and data.operation_meta.did_change()
        ]
        self.report.operation_ended(_name(state, op_hash), changed)


def _name(state: State, op_hash: str) -> str:
    names = " ".join(sorted(state.get_op_meta(op_hash).names))
    return names.rpartition("| ")[2]
