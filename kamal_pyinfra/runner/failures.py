"""What failed on which host, as values and as messages."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyinfra import logger as engine_logger
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.local.new_run import host_of
from kamal_pyinfra.plan.fleet_state import CUT
from kamal_pyinfra.plan.state.observed import LockDetails
from kamal_pyinfra.shell.proxy.traefik import ROUTES
from kamal_pyinfra.shell.script import WAITING
from kamal_pyinfra.shell.snapshot import KINDS
from kamal_pyinfra.ssh.connection import is_disconnected
from kamal_pyinfra.text import one_line, sanitized

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
            said = [*meta.stdout_lines, *meta.stderr_lines, *([CUT] if is_disconnected(host) else [])]
            if not said:  # no command ran: only pyinfra's log has why
                said = list(HostFailure.from_log(host.name, phase, lines).output)
            return HostFailure(
                host=host.name,
                phase=phase,
                operation=" ".join(state.get_op_meta(op_hash).names),
                output=tuple(sanitized(line) for line in said if not line.startswith((WAITING, ROUTES))),
            )
    return HostFailure.from_log(host.name, phase, lines)


LAST_LINES = 60


def failure_message(failures: Sequence[HostFailure], state: str) -> str:
    """One block per host, then the fleet's state and the way on."""
    blocks = [_block(failure) for failure in failures]
    return "\n".join([*blocks, _way_on(state)])


def brief_message(failures: Sequence[HostFailure], state: str) -> str:
    """The same without what the hosts said."""
    return "\n".join([*(_where(failure) for failure in failures), _way_on(state)])


def _way_on(state: str) -> str:
    return f"{state}\nRun the same command again once the cause is mended."


def _where(failure: HostFailure) -> str:
    what = f"{failure.phase}: {failure.operation.rpartition('| ')[2]}" if failure.operation else failure.phase
    return f"{failure.host} failed ({what})"


def _block(failure: HostFailure) -> str:
    said = [f"  {line}" for line in failure.output[-LAST_LINES:]]
    return "\n".join([_where(failure), *said])


def lock_message(lock: LockDetails, *, waited: int = 0) -> str:
    """Who holds the lock and how to get past it.

    Args:
        lock: as it was seen.
        waited: seconds for which it was waited for in vain.
    """
    after = f" (waited {waited} s)" if waited else ""
    return "\n".join(
        [
            f"Deploy lock held by {one_line(lock.locked_by)} for version {one_line(lock.version)}: "
            f"{one_line(lock.message)}{after}",
            *(f"{name}: {text}" for name, text in lock_process(lock)),
            _way_past(lock),
        ]
    )


def lock_lines(lock: LockDetails) -> list[tuple[str, str]]:
    """All that is known of a lock, as names and texts; Kamal's three first."""
    kamals = (("Locked by", lock.locked_by), ("Version", lock.version), ("Message", lock.message))
    return [*((name, one_line(text)) for name, text in kamals), *lock_process(lock)]


def lock_process(lock: LockDetails) -> list[tuple[str, str]]:
    """What is known of the process behind a lock, as names and texts; nothing of Kamal's."""
    host, pid = host_of(lock.holder), lock.holder.partition(" ")[2].partition(" ")[0]
    known = [
        ("Process", f"{one_line(pid)} on {one_line(host)}" if host and pid else ""),
        ("Command", one_line(lock.command)),
        ("Lease", _lease(lock)),
    ]
    return [(name, text) for name, text in known if text]


def release_refusal(lock: LockDetails, performer: str) -> str:
    """Why a lock is not given back to somebody."""
    if lock.owner != performer:
        why = f"The deploy lock is held by {one_line(lock.locked_by)}, not by {one_line(performer)}"
    else:
        why = f"The deploy lock of {one_line(lock.locked_by)} is in use: a run renews it"
    return "\n".join(
        [
            f"{why}: {one_line(lock.message)}",
            *(f"{name}: {text}" for name, text in lock_process(lock)),
            "Run `kp lock release --force` if you are sure that nobody is deploying.",
        ]
    )


def _lease(lock: LockDetails) -> str:
    if lock.seconds_left is None:
        return ""
    if lock.is_stale:
        return f"stale, ended {-lock.seconds_left} s ago and was not renewed"
    return f"{lock.seconds_left} s left"


def _way_past(lock: LockDetails) -> str:
    if lock.is_stale:
        return "It is stale: run the same command with `--lock-wait` to take it over, or `kp lock release`."
    if lock.is_renewed:
        return "Wait until it is free: run the same command with `--lock-wait`."
    return "Wait until it is free, or run `kp lock release` if you are sure that nobody is deploying."
