"""How fast the machine is at the moment, so that two runs can be compared, and whether it has something else to do."""

from __future__ import annotations

import time
from pathlib import Path

STEPS = 10_000_000
BUSY = 0.3
"""Health checks alone keep six hosts' processors busy for a fifth of the time."""
MOST_SECONDS = 5.0


def seconds_of_loop() -> float:
    """How long Python takes for so many steps of a loop."""
    began = time.perf_counter()
    sum(step * step for step in range(STEPS))
    return time.perf_counter() - began


def settle() -> None:
    """Wait until what went before is put away: engines are at work for a second or two after a command has ended.

    Nobody deploys a tenth of a second after a deploy, and what is timed next would pay for what was timed before.
    """
    until = time.monotonic() + MOST_SECONDS
    while _busy_share(0.3) > BUSY and time.monotonic() < until:
        pass


def _busy_share(seconds: float) -> float:
    before = _ticks()
    time.sleep(seconds)
    busy, idle = (after - then for after, then in zip(_ticks(), before, strict=True))
    return busy / max(busy + idle, 1)


def _ticks() -> tuple[int, int]:
    """How long the processors were busy and idle (proc(5), ``/proc/stat``)."""
    user, nice, system, idle, waiting, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    return user + nice + system + sum(interrupts), idle + waiting
