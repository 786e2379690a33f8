"""Follows logs of many hosts in order of time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import gevent
from gevent.event import AsyncResult
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.errors import HostFailed, Interrupted
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.failures import log_capture
from kamal_pyinfra.runner.queries.log_lines import LogLine, Pieces, Position, by_time, byte_lines
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell import logs as commands
from kamal_pyinfra.ssh.connection import reconnect, stream
from kamal_pyinfra.text import sanitized

TICK_SECONDS = 0.25
"""Between two ticks; a host that is slower by more than one has its lines behind those of others."""
SILENT_SECONDS = 15
"""A host that does not even print a line once a second has been lost."""
RETRY_SECONDS = 2


@dataclass
class Merged:
    """Holds each line back for one tick at least, so that those that were written earlier can come before it."""

    on_line: Callable[[LogLine], object]  # gets the lines in order
    notice: Callable[[str, str], object]  # called at once with a host, and what a reader of its log wants to know
    held: list[LogLine] = field(default_factory=list)
    fresh: list[LogLine] = field(default_factory=list)

    def line(self, line: LogLine) -> None:
        """A container wrote a line."""
        self.fresh.append(line)

    def tick(self, *, is_last: bool = False) -> None:
        """Hand on the lines that were there at the last tick, and all that were written before them; at last all."""
        old = {id(line) for line in self.held}
        waiting = by_time([*self.held, *self.fresh])
        count = max((number for number, line in enumerate(waiting, start=1) if is_last or id(line) in old), default=0)
        self.held, self.fresh = waiting[count:], []
        for line in waiting[:count]:
            self.on_line(line)


def follow(
    run: Run,
    listings: Mapping[str, str],
    wanted: commands.LogFilter,
    on_line: Callable[[LogLine], object],
    on_notice: Callable[[str, str], object],
) -> None:
    """Follow containers until a signal comes; nothing of it stays on the hosts.

    A container that appears later is followed from its first line. A connection that drops is made again, and the
    log goes on after the last line that was read.

    Args:
        listings: for each host, a command that prints ``ID NAME LABEL`` for each container to follow.
        wanted: where to begin and which lines; by default the last 10 (Kamal 1.9).
        on_line: gets each line in the order of time, as far as hosts are not slower by more than a tick; what it
            raises is the end, as with ``on_notice``.
        on_notice: gets a host, and what happened to it that a reader wants to know.
    """
    if wanted.lines is None and wanted.since is None and wanted.grep is None:
        wanted = replace(wanted, lines=commands.FOLLOWED_LINES)
    with interruptible(), Session(run, listings) as session, log_capture():
        session.require_hosts()
        over: AsyncResult = AsyncResult()
        hosts = [host for host in session.state.inventory if host.name in listings]
        _let_sudo_ask(session, hosts)
        merged = Merged(on_line, on_notice)
        followers = [_Follower(host, listings[host.name], wanted, merged, over) for host in hosts]
        greenlets = [gevent.spawn(_tick, merged, over), *(gevent.spawn(follower.carry_on) for follower in followers)]
        try:
            over.get()
        except Interrupted:
            merged.tick(is_last=True)
            raise
        finally:
            gevent.killall(greenlets)


def _let_sudo_ask(session: Session, hosts: Sequence[Host]) -> None:
    """A stream cannot ask for sudo's password, and would be refused again and again: so a command goes before it."""
    answers = session.execute("true", [host.name for host in hosts if host.data.get("_sudo")])
    refused = {name: output for name, (succeeded, output) in answers.items() if not succeeded}
    if refused:
        lines = (sanitized(line) for output in refused.values() for line in output.stderr_lines[-1:])
        raise HostFailed("\n".join(lines), list(refused))


def _tick(merged: Merged, over: AsyncResult) -> None:
    try:
        while True:
            gevent.sleep(TICK_SECONDS)
            merged.tick()
    except Exception as error:  # of a greenlet: raised where the end is awaited
        over.set_exception(error)


@dataclass
class _Container:
    """A container that is followed: its name, what its lines are marked with, and how far its log was read."""

    name: str
    label: str
    position: Position
    pieces: Pieces = field(default_factory=lambda: Pieces(commands.PIECE))


@dataclass
class _Follower:
    """All containers of one host; ``over`` gets the error that ends it, such as a reader that is gone."""

    host: Host
    listing: str
    wanted: commands.LogFilter
    merged: Merged
    over: AsyncResult
    containers: dict[str, _Container] = field(default_factory=dict)
    rounds: int = 0
    is_lost: bool = False

    def carry_on(self) -> None:
        """Follow until it is killed; a lost connection is made again."""
        try:
            with ctx_config.use(self.host.state.config.copy()), ctx_host.use(self.host):
                while True:
                    reason = self._watch()
                    for container in self.containers.values():
                        self._show(container, container.pieces.rest())
                    if not self.is_lost:
                        self.is_lost = True
                        self.merged.notice(self.host.name, f"lost ({reason}); connecting again")
                    gevent.sleep(RETRY_SECONDS)
                    with contextlib.suppress(PyinfraError, OSError, EOFError, SSHException):
                        reconnect(self.host)
        except Exception as error:
            self.over.set_exception(error)

    def _watch(self) -> str:
        """Follow all containers that are listed; return why it cannot go on."""
        fresh = replace(self.wanted, since=None, lines=None)
        positions = {name: container.position.filter() for name, container in self.containers.items()}
        command = commands.watch(self.listing, fresh if self.rounds else self.wanted, fresh, positions)
        try:
            channel = stream(self.host, command)
            channel.settimeout(SILENT_SECONDS)
            last_round = time.monotonic()
            for line in byte_lines(channel.recv):
                if line == b"round":
                    last_round = time.monotonic()
                    self._round_began()
                elif time.monotonic() - last_round > SILENT_SECONDS:
                    raise TimeoutError
                else:
                    self._take(*line.partition(b" ")[::2])
            error = channel.recv_stderr(1000) if channel.recv_stderr_ready() else b""
        except TimeoutError:
            return f"no output for {SILENT_SECONDS} s"
        except (OSError, EOFError, SSHException) as problem:
            return sanitized(str(problem)) or "connection closed"
        return sanitized(error.decode(errors="replace").strip()) or "connection closed"

    def _take(self, kind: bytes, text: bytes) -> None:
        """One line of the script; all others are of unknown origin."""
        name, _, rest = text.partition(b" ")
        key = name.decode(errors="replace")
        if kind == b"container" and key not in self.containers:
            listed, label, *_ = [*sanitized(rest.decode(errors="replace")).split(), "", ""]
            beginning = self.wanted
            if self.rounds != 1:
                self.merged.notice(self.host.name, f"{listed} is new")
                beginning = replace(self.wanted, since=None, lines=None)
            self.containers[key] = _Container(listed, label, Position(beginning))
        container = self.containers.get(key)
        if container is None:
            return
        if kind == b"begin":
            self._show(container, container.pieces.rest())
            container.position.begin()
        elif kind == b"line":
            self._show(container, container.pieces.add(rest))

    def _round_began(self) -> None:
        self.rounds += 1
        for container in self.containers.values():
            self._show(container, container.pieces.tick())
        if self.is_lost:
            self.is_lost = False
            self.merged.notice(self.host.name, "is back")

    def _show(self, container: _Container, lines: Iterable[str]) -> None:
        for line in filter(container.position.is_new, lines):
            self.merged.line(LogLine(host=self.host.name, container=container.name, label=container.label, text=line))
