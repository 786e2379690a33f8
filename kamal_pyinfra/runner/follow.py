"""Logs of containers on many hosts at once, as they are written, until a signal comes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from kamal_pyinfra.runner.session import Session  # comes first: it patches the standard library for gevent

import gevent  # isort: skip
from gevent.event import AsyncResult
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.commands import logs as commands
from kamal_pyinfra.commands.logs import LogFilter
from kamal_pyinfra.errors import Interrupted
from kamal_pyinfra.operations.connection import reconnect, stream
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.text import sanitized
from kamal_pyinfra.runner.failures import log_capture
from kamal_pyinfra.runner.log_lines import LogLine, Position, lines_of
from kamal_pyinfra.runner.merge import TICK_SECONDS, Listener, Merged
from kamal_pyinfra.runner.signals import interruptible

SILENT_SECONDS = 15
"""A host that does not even say once a second that it is there has been lost."""
RETRY_SECONDS = 2


def follow(run: Run, listings: Mapping[str, str], wanted: LogFilter, listener: Listener) -> None:
    """Follow containers until a signal comes; nothing of it stays on the hosts.

    A container that appears later is followed from its first line. A connection that drops is made again, and the
    log goes on after the last line that was seen.

    Lines are in the order of time, as far as hosts are not slower than others by more than a tick. Whatever the
    listener raises ends it.

    Args:
        run: the configuration and the run's fixed values.
        listings: for each host, a command that prints ``ID NAME LABEL`` for each container to follow.
        wanted: where to begin and which lines; the last 10 unless it says otherwise (Kamal 1.9).
        listener: told each line.

    Raises:
        HostFailed: a host could not be reached when it began. Interrupted: a signal came.
    """
    if wanted.lines is None and wanted.since is None and wanted.grep is None:
        wanted = replace(wanted, lines=commands.FOLLOWED_LINES)
    with interruptible(), Session(run, listings) as session, log_capture():
        session.require_hosts()
        over: AsyncResult = AsyncResult()
        hosts = [host for host in session.state.inventory if host.name in listings]
        merged = Merged(listener)
        followers = [_Follower(host, listings[host.name], wanted, merged, over) for host in hosts]
        greenlets = [gevent.spawn(_tick, merged, over), *(gevent.spawn(follower.carry_on) for follower in followers)]
        try:
            over.get()
        except Interrupted:
            merged.end()
            raise
        finally:
            gevent.killall(greenlets)


def _tick(merged: Merged, over: AsyncResult) -> None:
    try:
        while True:
            gevent.sleep(TICK_SECONDS)
            merged.tick()
    except Exception as error:
        over.set_exception(error)


class _Follower:
    """All containers of one host.

    Args:
        host: connected.
        listing: prints ``ID NAME LABEL`` for each container to follow.
        wanted: where to begin and which lines.
        listener: told each line.
        over: set when nobody listens any more, or with what nobody thought of.
    """

    def __init__(self, host: Host, listing: str, wanted: LogFilter, listener: Listener, over: AsyncResult) -> None:
        self.host = host
        self.listing = listing
        self.wanted = wanted
        self.listener = listener
        self.over = over
        self.tails: dict[str, gevent.Greenlet] = {}
        self.positions: dict[str, Position] = {}
        self.rounds = 0
        self.is_lost = False

    def carry_on(self) -> None:
        """Follow until somebody kills the greenlet."""
        engine = self.host.state.config.copy()
        try:
            with ctx_config.use(engine), ctx_host.use(self.host):
                while True:
                    self._lost(self._watch())
                    gevent.sleep(RETRY_SECONDS)
                    with contextlib.suppress(PyinfraError, OSError, SSHException):
                        reconnect(self.host)
        except Exception as error:
            self.over.set_exception(error)
        finally:
            self._stop_tails()

    def _lost(self, reason: str) -> None:
        self._stop_tails()
        if not self.is_lost:
            self.is_lost = True
            self.listener.notice(self.host.name, f"lost ({reason}); connecting again")

    def _stop_tails(self) -> None:
        gevent.killall(list(self.tails.values()))
        self.tails.clear()

    def _watch(self) -> str:
        """Start a tail for each container that is listed; returns why it cannot go on."""
        try:
            channel = stream(self.host, commands.watch(self.listing))
            channel.settimeout(SILENT_SECONDS)
            for line in lines_of(channel):
                self._listed(*line.split())
            said = channel.recv_stderr(1000) if channel.recv_stderr_ready() else b""
        except TimeoutError:
            return f"nothing heard for {SILENT_SECONDS} s"
        except (OSError, EOFError, SSHException) as error:
            return sanitized(str(error)) or "connection closed"
        return sanitized(said.decode(errors="replace").strip()) or "connection closed"

    def _listed(self, container: str = "", name: str = "", label: str = "") -> None:
        if not container:
            self._round_began()
            return
        if container in self.tails and not self.tails[container].dead:
            return
        if container not in self.positions:
            self.positions[container] = self._new_position(name)
        self.tails[container] = gevent.spawn(self._tail, container, name, label)

    def _round_began(self) -> None:
        self.rounds += 1
        if self.is_lost:
            self.is_lost = False
            self.listener.notice(self.host.name, "is back")

    def _new_position(self, name: str) -> Position:
        if self.rounds == 1:
            return Position(self.wanted)
        self.listener.notice(self.host.name, f"{name} is new")
        return Position(replace(self.wanted, since=None, lines=None))

    def _tail(self, container: str, name: str, label: str) -> None:
        position = self.positions[container]
        try:
            channel = stream(self.host, commands.follow(container, position.filter()))
            for line in position.unseen(lines_of(channel)):
                self.listener.line(LogLine(host=self.host.name, container=name, label=label, text=line))
        except (EOFError, SSHException, ConnectionError, TimeoutError):
            return  # whoever watches the connection notices it too, and the next listing begins anew
        except Exception as error:
            self.over.set_exception(error)
