"""SIGINT and SIGTERM, through both front doors: the first ends a run in order, later ones wait for that.

The handlers are Python's: pyinfra has taken SIGINT from gevent for one of these, and only another one can follow it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)
TICK = 0.5


def first_signal(act: Callable[[int], object]) -> ExitStack:
    """Call ``act`` with the number of the first signal, in whatever greenlet is running; later ones do nothing.

    The handlers replace all others, which are restored when what is returned is left: pyinfra's would end the process
    with code 0.
    """
    import gevent  # noqa: PLC0415 - not every command needs it

    def handle(number: int, frame: object) -> None:
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)
        act(number)

    # A signal that comes just before gevent's loop waits is noticed when it waits no more.
    ticking, restoring = gevent.get_hub().loop.timer(TICK, TICK, ref=False), ExitStack()
    ticking.start(int)
    restoring.callback(ticking.close)
    for number in ENDING:
        restoring.callback(signal.signal, number, signal.signal(number, handle))
    return restoring


@contextmanager
def signals_after() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM that come during a block once it is over.

    An exception of a handler between a fork and the return of the child's id would leave the child to itself. Blocking
    the signals is no way: the child would inherit that. Only handlers of Python's can raise, so only these wait; they
    run in the main thread alone, so that no other thread has to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    previous = {number: handler for number in ENDING if callable(handler := signal.getsignal(number))}
    for number in previous:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)
