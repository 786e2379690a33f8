"""How fast the machine is at the moment, so that two runs can be compared."""

from __future__ import annotations

import time

STEPS = 10_000_000


def seconds_of_loop() -> float:
    """How long Python takes for so many steps of a loop."""
    began = time.perf_counter()
    sum(step * step for step in range(STEPS))
    return time.perf_counter() - began
