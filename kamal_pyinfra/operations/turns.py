"""So many hosts at a time do what would overload the one place that serves them all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakKeyDictionary

from gevent.lock import BoundedSemaphore
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State

from kamal_pyinfra.plan.run import Run

_TURNS: WeakKeyDictionary[State, BoundedSemaphore] = WeakKeyDictionary()


def turn(state: State, run: Run) -> AbstractContextManager[Any]:
    """Wait until fewer than ``sshkit.max_concurrent_starts`` hosts fetch an image, and be one of them."""
    limit = run.config.sshkit.max_concurrent_starts
    turns: AbstractContextManager[Any] = _TURNS.setdefault(state, BoundedSemaphore(limit))
    return turns


class InTurn(StringCommand):
    """A command that waits for its turn; its time is counted from then on.

    Args:
        script: the command.
        run: says how many may be under way.
    """

    def __init__(self, script: str, run: Run) -> None:
        super().__init__(script)
        self.run = run

    def execute(self, state: State, host: Host, connector_arguments: Any) -> Any:
        """Run it on the host."""
        with turn(state, self.run):
            return super().execute(state, host, connector_arguments)
