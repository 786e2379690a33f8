"""What pyinfra knows about a failure, turned into values; nothing of it is printed on the way."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyinfra import logger as engine_logger
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.plan.fleet_state import CUT
from kamal_pyinfra.shell.health import WAITING
from kamal_pyinfra.shell.proxy.gate import ROUTES
from kamal_pyinfra.shell.snapshot import KINDS
from kamal_pyinfra.ssh.connection import is_cut
from kamal_pyinfra.text import sanitized

FACT_FAILURE = "could not load fact"
LOOK = re.compile(rf"\[[^\]]*\] ({'|'.join(KINDS)})( |$)")
# Without a handler Python prints what paramiko logs of a broken connection, traceback and all; the failure of
# the host says the same in a line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class HostFailure:
    """One host that failed.

    Args:
        phase: the deploy phase in which it happened.
        operation: the name of the operation; empty if none was running.
        output: the last lines that the host said, free of control characters.
    """

    host: str
    phase: str
    operation: str
    output: tuple[str, ...]

    @classmethod
    def from_log(cls, host: str, phase: str, lines: Collection[str]) -> HostFailure:
        """A failure of which only pyinfra's own log lines are known."""
        own = tuple(line for line in lines if f"[{host}]" in line) or tuple(lines)
        return cls(host=host, phase=phase, operation="", output=tuple(line for line in own if not _is_of_a_look(line)))


def _is_of_a_look(line: str) -> bool:
    """Whether it is output of the snapshot script, which holds digests of secrets, or pyinfra's echo of its query."""
    return FACT_FAILURE in line or bool(LOOK.match(line))


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(sanitized(record.getMessage()))


@contextmanager
def log_capture() -> Iterator[list[str]]:
    """Collect what pyinfra logs at warning level or above, in place of printing it."""
    lines: list[str] = []
    handler = _Collector(lines)
    was_propagating = engine_logger.propagate
    engine_logger.addHandler(handler)
    engine_logger.propagate = False
    try:
        yield lines
    finally:
        engine_logger.removeHandler(handler)
        engine_logger.propagate = was_propagating


def command_failures(
    state: State, failed: Collection[Host], phase: str, lines: Collection[str]
) -> dict[str, HostFailure]:
    """The operation that failed on each host, with what the host said."""
    return {host.name: _failure(state, host, phase, lines) for host in failed}


def _failure(state: State, host: Host, phase: str, lines: Collection[str]) -> HostFailure:
    for op_hash, data in state.ops[host].items():
        meta = data.operation_meta
        if meta.is_complete() and not meta.did_succeed():
            said = [*meta.stdout_lines, *meta.stderr_lines, *([CUT] if is_cut(host) else [])]
            if not said:  # no command ran: only pyinfra's log has why
                said = list(HostFailure.from_log(host.name, phase, lines).output)
            return HostFailure(
                host=host.name,
                phase=phase,
                operation=" ".join(state.get_op_meta(op_hash).names),
                output=tuple(sanitized(line) for line in said if not line.startswith((WAITING, ROUTES))),
            )
    return HostFailure.from_log(host.name, phase, lines)
