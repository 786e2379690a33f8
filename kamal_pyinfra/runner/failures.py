"""What failed on which host, as values and as messages."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

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
SNAPSHOT = re.compile(rf"\[[^\]]*\] ({'|'.join(KINDS)})( |$)")
LAST_LINES = 60

# Without a handler Python prints what paramiko logs of a broken connection, traceback and all; the failure of
# the host has the same in a line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class HostFailure:
    """One host that failed."""

    host: str
    phase: str  # the deploy phase in which it happened
    operation: str = ""  # the name of the operation; empty if none was running
    output: tuple[str, ...] = ()  # the last lines that the host printed, free of control characters

    @classmethod
    def from_log(cls, host: str, phase: str, lines: Collection[str]) -> HostFailure:
        """Return a failure of which only pyinfra's own log lines are known."""
        own = tuple(line for line in lines if f"[{host}]" in line) or tuple(lines)
        # The snapshot script's output holds digests of secrets; pyinfra echoes its query.
        shown = (line for line in own if FACT_FAILURE not in line and not SNAPSHOT.match(line))
        return cls(host=host, phase=phase, output=tuple(shown))

    def __str__(self) -> str:
        what = f"{self.phase}: {self.operation.rpartition('| ')[2]}" if self.operation else self.phase
        return f"{self.host} failed ({what})"


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


def shown_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Return what a host printed without what is progress, free of control characters."""
    return tuple(sanitized(line) for line in lines if not line.startswith((WAITING, ROUTES)))


def command_failure(state: State, host: Host, phase: str, lines: Collection[str]) -> HostFailure:
    """Return the operation that failed on a host, with what the host printed."""
    logged = HostFailure.from_log(host.name, phase, lines)
    for op_hash, data in state.ops[host].items():
        meta = data.operation_meta
        if meta.is_complete() and not meta.did_succeed():
            printed = [*meta.stdout_lines, *meta.stderr_lines, *([CUT] if is_disconnected(host) else [])]
            operation = " ".join(state.get_op_meta(op_hash).names)
            # Where no command ran, only pyinfra's log has why.
            return replace(logged, operation=operation, output=shown_lines(printed) if printed else logged.output)
    return logged


def failure_message(failures: Collection[HostFailure], state: str, *, is_brief: bool = False) -> str:
    """Return one block per host, in brief without what it printed, then the fleet's state and the way on."""
    lines: list[str] = []
    for failure in failures:
        lines += [str(failure), *(f"  {line}" for line in failure.output[-LAST_LINES:] if not is_brief)]
    return "\n".join([*lines, state, "Run the same command again once the cause is mended."])


def lock_message(lock: LockDetails, *, waited: int = 0) -> str:
    """Return who holds the lock, for which so many seconds were waited in vain, and how to get past it."""
    after = f" (waited {waited} s)" if waited else ""
    by, version, message = map(one_line, (lock.locked_by, lock.version, lock.message))
    if lock.is_stale:
        way = "It is stale: run the same command with `--lock-wait` to take it over, or `kp lock release`."
    elif lock.is_renewed:
        way = "Wait until it is free: run the same command with `--lock-wait`."
    else:
        way = "Wait until it is free, or run `kp lock release` if you are sure that no deploy is running."
    what = f"Deploy lock held by {by} for version {version}: {message}{after}"
    return "\n".join([what, *map(": ".join, _lock_process(lock)), way])


def lock_lines(lock: LockDetails) -> list[tuple[str, str]]:
    """Return all that is known of a lock, as names and texts; Kamal's three first."""
    kamals = (("Locked by", lock.locked_by), ("Version", lock.version), ("Message", lock.message))
    return [*((name, one_line(text)) for name, text in kamals), *_lock_process(lock)]


def _lock_process(lock: LockDetails) -> list[tuple[str, str]]:
    """What is known of the process behind a lock, as names and texts; nothing of Kamal's."""
    host, pid = host_of(lock.holder), lock.holder.partition(" ")[2].partition(" ")[0]
    lease = "" if lock.seconds_left is None else f"{lock.seconds_left} s left"
    if lock.is_stale and lock.seconds_left is not None:
        lease = f"stale, ended {-lock.seconds_left} s ago and was not renewed"
    process = f"{one_line(pid)} on {one_line(host)}" if host and pid else ""
    known = (("Process", process), ("Command", one_line(lock.command)), ("Lease", lease))
    return [(name, text) for name, text in known if text]


def release_refusal(lock: LockDetails, performer: str) -> str:
    """Return why a lock is not released for somebody."""
    if lock.owner != performer:
        why = f"The deploy lock is held by {one_line(lock.locked_by)}, not by {one_line(performer)}"
    else:
        why = f"The deploy lock of {one_line(lock.locked_by)} is in use: a run renews it"
    force = "Run `kp lock release --force` if you are sure that no deploy is running."
    return "\n".join([f"{why}: {one_line(lock.message)}", *map(": ".join, _lock_process(lock)), force])
