"""Logs of containers on many hosts at once, as they are written, until a signal comes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from kamal_pyinfra.runner.session import Session  # comes first: it patches the standard library for gevent

import gevent  # isort: skip
from gevent.pool import Group
from paramiko import Channel, SSHException
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.commands import logs as commands
from kamal_pyinfra.commands.logs import LogFilter
from kamal_pyinfra.operations.connection import reconnect, stream
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.text import sanitized
from kamal_pyinfra.runner.failures import log_capture
from kamal_pyinfra.runner.signals import interruptible

SILENT_SECONDS = 15
"""A host that does not even say once a second that it is there has been lost."""
RETRY_SECONDS = 2
LONGEST_LINE = 64 * 1024
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z(?= |$)")
"""What Docker puts before a line; of one length, so that text compares as time does."""


class Listener(Protocol):
    """Told what hosts write, from many greenlets, each time a whole line."""

    def line(self, host: str, label: str, text: str) -> None:
        """A container wrote a line; it is safe to print."""

    def notice(self, host: str, text: str) -> None:
        """Something happened that a reader of the log wants to know."""


def follow(run: Run, listings: Mapping[str, str], wanted: LogFilter, listener: Listener) -> None:
    """Follow containers until a signal comes; nothing of it stays on the hosts.

    A container that appears later is followed from its first line. A connection that drops is made again, and the
    log goes on after the last line that was seen.

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
        engine = session.state.config
        followers = Group()

        def follow_host(host: Host) -> None:
            with ctx_config.use(engine.copy()), ctx_host.use(host):
                _Follower(host, listings[host.name], wanted, listener).carry_on()

        try:
            for host in session.state.inventory:
                if host.name in listings:
                    followers.spawn(follow_host, host)
            followers.join(raise_error=True)
        finally:
            followers.kill()


class _Follower:
    """All containers of one host.

    Args:
        host: connected.
        listing: prints ``ID NAME LABEL`` for each container to follow.
        wanted: where to begin and which lines.
        listener: told each line.
    """

    def __init__(self, host: Host, listing: str, wanted: LogFilter, listener: Listener) -> None:
        self.host = host
        self.listing = listing
        self.wanted = wanted
        self.listener = listener
        self.tails: dict[str, gevent.Greenlet] = {}
        self.stamps: dict[str, str] = {}
        self.complaints: dict[str, str] = {}
        self.rounds = 0
        self.is_lost = False

    def carry_on(self) -> None:
        """Follow until somebody kills the greenlet."""
        try:
            while True:
                reason = self._watch()
                self._stop_tails()
                if not self.is_lost:
                    self.is_lost = True
                    self.listener.notice(self.host.name, f"lost ({reason}); connecting again")
                gevent.sleep(RETRY_SECONDS)
                reconnect(self.host)
        finally:
            self._stop_tails()

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
        if not container:  # a round begins
            self.rounds += 1
            if self.is_lost:
                self.is_lost = False
                self.listener.notice(self.host.name, "is back")
            return
        if container in self.tails and not self.tails[container].dead:
            return
        if self.rounds > 1 and container not in self.stamps:
            self.listener.notice(self.host.name, f"{name} is new")
        wanted = self._beginning(container)
        self.stamps.setdefault(container, "")
        self.tails[container] = gevent.spawn(self._tail, container, label, wanted)

    def _beginning(self, container: str) -> LogFilter:
        """Where to begin: as asked, after the last line that was seen, or at the first line of a new container."""
        if stamp := self.stamps.get(container):
            return replace(self.wanted, since=stamp, lines=None)
        if self.rounds > 1 and container not in self.stamps:
            return replace(self.wanted, since=None, lines=None)
        return self.wanted

    def _tail(self, container: str, label: str, wanted: LogFilter) -> None:
        seen = self.stamps[container]
        try:
            for line in lines_of(stream(self.host, commands.follow(container, wanted))):
                if self._is_news(container, line, seen):
                    self.listener.line(self.host.name, label, line)
        except (OSError, EOFError, SSHException):
            return  # whoever watches the connection notices it too, and the next listing begins anew

    def _is_news(self, container: str, line: str, seen: str) -> bool:
        stamp = STAMP.match(line)
        if stamp is None:  # grep's own lines, and why Docker cannot show the log, again each time it is asked
            is_repeated = line.startswith("Error") and self.complaints.get(container) == line
            self.complaints[container] = line
            return not is_repeated
        if stamp[0] <= seen:
            return False
        self.stamps[container] = stamp[0]
        return True


def lines_of(channel: Channel) -> Iterator[str]:
    """What comes on a channel, line by line and safe to print; an endless line comes in pieces."""
    rest = b""
    while chunk := channel.recv(32 * 1024):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield sanitized(line.decode(errors="replace"))
    if rest:
        yield sanitized(rest.decode(errors="replace"))
