"""SIGINT and SIGTERM, through both front doors: the first ends a run in order, later ones wait for that.

The handlers are Python's: pyinfra has taken SIGINT from gevent for one of these, and only another one can follow it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)
TICK = 0.5


def at_first_signal(act: Callable[[int], object]) -> Callable[[], None]:
    """Have the first signal do something, and later ones nothing.

    The handlers replace all others: pyinfra's would end the process with code 0.

    Args:
        act: called with the signal's number, in whatever greenlet is running.

    Returns:
        What restores the handlers that were there.
    """
    import gevent  # noqa: PLC0415 - not every command needs it

    def handle(number: int, frame: object) -> None:
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)
        act(number)

    # A signal that comes just before gevent's loop waits is noticed when it waits no more.
    ticking = gevent.get_hub().loop.timer(TICK, TICK, ref=False)
    ticking.start(int)
    previous = {number: signal.signal(number, handle) for number in ENDING}

    def restore() -> None:
        ticking.close()
        for number, handler in previous.items():
            signal.signal(number, handler)

    return restore


@contextmanager
def first_signal(act: Callable[[int], object]) -> Iterator[None]:
    """The same for as long as a block lasts."""
    restore = at_first_signal(act)
    try:
        yield
    finally:
        restore()


@contextmanager
def signals_after(numbers: Iterable[int]) -> Iterator[None]:
    """Deliver signals that come during a block once it is over.

    An exception of a handler between a fork and the return of the child's id would leave the child to itself. Blocking
    the signals is no way: the child would inherit that. Only handlers of Python's can raise, so only these wait; they
    run in the main thread alone, so that no other thread has to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    previous = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in previous:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
