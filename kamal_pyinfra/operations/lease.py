"""The lease of the deploy lock: renewed as long as the run lasts, so that a lock that nobody renews is known as such.

A run that is over within a third of the lease sends nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import gevent
from gevent import Greenlet
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.commands.lock import LOST
from kamal_pyinfra.errors import LockLost
from kamal_pyinfra.operations.connection import execute

SECONDS = 120
ANSWER_SECONDS = 20
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A machine that slept has not renewed anything: the clock that goes on meanwhile, where there is one."""


class Lease:
    """The lease of a lock that was just taken.

    Args:
        renew: gives the lock another lease; returns ``False`` if it is somebody else's by now, and raises
            :class:`OSError` when nothing is known.
    """

    def __init__(self, renew: Callable[[], bool]) -> None:
        self._renew = renew
        self._renewed = time.clock_gettime(_CLOCK)
        self._is_lost = False
        self._greenlet: Greenlet = gevent.spawn_later(SECONDS / 3, self._keep)

    def require(self) -> None:
        """The lock is still this run's.

        Raises:
            LockLost: it is not, or nobody can say.
        """
        if not self._is_lost and self._age() >= SECONDS:
            self._try()
        if self._is_lost or self._age() >= SECONDS:
            raise LockLost

    def end(self) -> None:
        """Renew it no more."""
        self._greenlet.kill(block=False)

    def _keep(self) -> None:
        while not self._is_lost:
            self._try()
            gevent.sleep(SECONDS / 3)

    def _try(self) -> None:
        began = time.clock_gettime(_CLOCK)
        try:
            self._is_lost = not self._renew()
        except OSError:
            return  # the connection is gone; another try comes, and `require` knows how old the lease is
        self._renewed = began

    def _age(self) -> float:
        return time.clock_gettime(_CLOCK) - self._renewed


_LEASES: WeakKeyDictionary[State, Lease] = WeakKeyDictionary()


def begin(state: State, primary: str, command: str) -> None:
    """The lock was just taken: see to its lease.

    Args:
        state: of the run.
        primary: the host with the lock.
        command: renews it.
    """
    end(state)
    host = state.inventory.get_host(primary)
    _LEASES[state] = Lease(lambda: _renewed(state, host, command))


def end(state: State) -> None:
    """The lock is about to be given back."""
    lease = _LEASES.pop(state, None)
    if lease is not None:
        lease.end()


def require(state: State) -> None:
    """The lock is still this run's, if the run has taken it.

    Raises:
        LockLost: it is not, or nobody can say.
    """
    lease = _LEASES.get(state)
    if lease is not None:
        lease.require()


def _renewed(state: State, host: Host, command: str) -> bool:
    with ctx_config.use(state.config.copy()), ctx_host.use(host):
        try:
            with gevent.Timeout(ANSWER_SECONDS, PyinfraError("no answer")):
                succeeded, output = execute(host, command)
        except (SSHException, EOFError, PyinfraError) as error:
            raise OSError(str(error)) from error
    if not succeeded:
        raise OSError("the lock could not be renewed")
    return LOST not in output.stdout_lines
