"""SIGINT and SIGTERM as an exception in the main greenlet, so that ``finally`` does its work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent

from kamal_pyinfra.errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` here at the first signal; later ones wait until cleaning up is over."""
    main = gevent.getcurrent()
    handlers: list[Any] = []

    def stop(number: int) -> None:
        for handler in handlers:
            handler.cancel()
        for other in (signal.SIGINT, signal.SIGTERM):
            signal.signal(other, signal.SIG_IGN)
        gevent.kill(main, Interrupted(number))

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers += [gevent.signal_handler(number, stop, number) for number in previous]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)
