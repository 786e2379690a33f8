"""Whether a service answers, waits or turns requests away."""

from __future__ import annotations

import asyncio
from typing import Any

from .durations import SECOND
from .exchange import ErrorAnswer

RUNNING, PAUSED, STOPPED = range(3)
NAMES = ("running", "paused", "stopped")


class Pause:
    """The state of one service; it stays through deploys and restarts."""

    def __init__(self, state: int = RUNNING, message: str = "", fail_after: int = 0) -> None:
        self.state = state
        self.message = message
        self.fail_after = fail_after
        self.ended = asyncio.Event()

    @classmethod
    def read(cls, found: dict[str, Any]) -> Pause:
        return cls(found.get("state", RUNNING), found.get("stop_message", ""), found.get("fail_after", 0))

    def as_file(self) -> dict[str, Any]:
        return {"state": self.state, "stop_message": self.message, "fail_after": self.fail_after}

    def pause(self, fail_after: int) -> None:
        if self.state != PAUSED:
            self.ended = asyncio.Event()
        self.state, self.message, self.fail_after = PAUSED, "", fail_after

    def stop(self, message: str) -> None:
        self._leave(STOPPED, message)

    def resume(self) -> None:
        self._leave(RUNNING, "")

    def _leave(self, state: int, message: str) -> None:
        if self.state == PAUSED:
            self.ended.set()
        self.state, self.message = state, message

    async def wait(self) -> None:
        """Return when requests may go on to their targets."""
        if self.state == PAUSED:
            try:
                async with asyncio.timeout(self.fail_after / SECOND):
                    await self.ended.wait()
            except TimeoutError:
                raise ErrorAnswer(504) from None
        if self.state == STOPPED:
            raise ErrorAnswer(503, self.message)
