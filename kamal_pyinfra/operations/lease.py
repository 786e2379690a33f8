"""The lease of the deploy lock: renewed as long as the run lasts, so that a lock that is not renewed is known as such.

A run that is over within a third of the lease sends nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from gevent import Greenlet
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.errors import Interrupted, LockLost
from kamal_pyinfra.shell.lock import LOST
from kamal_pyinfra.ssh.connection import execute, reconnect

SECONDS = 120
ANSWER_SECONDS = 20
RETRY_SECONDS = 5
"""Until a lease is asked for again that nothing is known of; the host may be back."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A machine that slept has not renewed anything: the clock that goes on meanwhile, where there is one."""


class Lease:
    """The lease of a run's lock, from the moment at which the lock is asked for; nothing until it is taken."""

    def __init__(self) -> None:
        self._greenlet: Greenlet | None = None
        self._renew: Callable[[], bool] = bool
        self._asked = self._renewed = 0.0
        self._is_lost = False

    def ask(self) -> None:
        """The lock is about to be asked for; its lease counts from this moment, not from the answer."""
        self._asked = time.clock_gettime(_CLOCK)

    def begin(self, renew: Callable[[], bool]) -> None:
        """The lock was just taken.

        Args:
            renew: gives it another lease; ``False`` if it is another run's by now, any exception if nothing is known.
        """
        self.end()
        self._renew, self._is_lost = renew, False
        self._asked, self._renewed = 0.0, self._asked or time.clock_gettime(_CLOCK)
        self._greenlet = gevent.spawn_later(SECONDS / 3, self._keep)

    def require(self) -> None:
        """The lock is still this run's, if it has taken it; raises ``LockLost`` if it is not, or nothing is known."""
        if self._greenlet is None:
            return
        if not self._is_lost and self._is_over():
            self._try()
        if self._is_lost or self._is_over():
            raise LockLost

    def _is_over(self) -> bool:
        return time.clock_gettime(_CLOCK) - self._renewed >= SECONDS

    def end(self) -> None:
        """The lock is about to be given back: renew it no more."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        self._greenlet = None

    def _keep(self) -> None:
        while not self._is_lost:
            gevent.sleep(SECONDS / 3 if self._try() else RETRY_SECONDS)

    def _try(self) -> bool:
        """Ask for another lease; whether there was an answer."""
        began = time.clock_gettime(_CLOCK)
        try:
            self._is_lost = not self._renew()
        except Interrupted:
            raise
        except Exception:  # whatever went wrong, nothing is known: another try comes, and the age of the lease counts
            return False
        self._renewed = began
        return True


def renewed(state: State, host: Host, command: str) -> bool:
    """Run what renews the lock on its host; whether the lock is still this run's. Raises if nothing is known."""
    patience = gevent.Timeout(ANSWER_SECONDS, PyinfraError("no answer"))
    with ctx_config.use(state.config.copy()), ctx_host.use(host), patience:
        reconnect(host, only_if_gone=True)
        succeeded, output = execute(host, command)
    if not succeeded:
        raise OSError("the lock could not be renewed")
    return LOST not in output.stdout_lines
