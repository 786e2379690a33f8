"""What a run under pyinfra's own command line has begun, so that its end can clean up whatever the cause."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pyinfra.api.state import State

from kamal_pyinfra.insight.routed import Proof


@dataclass
class Underway:
    """One deploy that pyinfra executes.

    Args:
        began: when, by the monotonic clock.
        is_locked: whether this run holds the lock.
        has_worked: whether it has held the lock: there was something to do.
        begun: hosts on which new containers may have been started.
        switched: hosts whose batch has passed the gate.
        finished: hosts that were finished with the switch.
        watching: hosts whose new version is being watched after the switch, or was.
        outcome: how it ended, for the audit log; empty if nobody says.
        proofs: what the gates found out of the proxies.
        ends: makes that line of a result and, of a failure, of where it was; nothing until the plan is known.
    """

    began: float = field(default_factory=time.monotonic)
    is_locked: bool = False
    has_worked: bool = False
    begun: set[str] = field(default_factory=set)
    switched: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    watching: frozenset[str] = frozenset()
    outcome: str = ""
    proofs: list[Proof] = field(default_factory=list)
    ends: Callable[..., str] = field(default=lambda **_: "")


_UNDERWAY: WeakKeyDictionary[State, Underway] = WeakKeyDictionary()


def underway(state: State) -> Underway:
    """The record of this state's run."""
    return _UNDERWAY.setdefault(state, Underway())
