"""The targets of a service, and which of them gets a request."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from functools import partial

from . import durations
from .durations import MILLISECOND, SECOND
from .exchange import Answer, ErrorAnswer, Request
from .health import probing
from .log import log
from .options import TargetOptions
from .targets import HEALTHY, UNHEALTHY, Flight, Target

WRITER_COOKIE = "kamal-writer"


class UnhealthyError(Exception):
    """Not all targets became healthy in time."""


class Pool:
    """Targets that share the requests of a service; they are asked for their health from the start."""

    def __init__(
        self, targets: list[str], readers: list[str], options: TargetOptions, affinity: int, *, sockets_read: bool
    ) -> None:
        self.targets = [Target(address, options) for address in targets]
        self.targets += [Target(address, options, is_reader=True) for address in readers]
        self.affinity = affinity
        self.sockets_read = sockets_read
        self.turns = {False: 0, True: 0}
        self.all_healthy = asyncio.Event()
        check = options.health_check_config
        self.probes = [
            asyncio.ensure_future(probing(target.address, check, partial(self._told, target)))
            for target in self.targets
        ]

    def names(self, *, readers: bool) -> list[str]:
        """Return the addresses of one kind."""
        return [target.address for target in self.targets if target.is_reader == readers]

    async def wait_until_healthy(self, timeout: int) -> None:
        """Return when every target was well once."""
        try:
            async with asyncio.timeout(timeout / SECOND):
                await self.all_healthy.wait()
        except TimeoutError:
            within = durations.write(timeout)
            raise UnhealthyError(f"target failed to become healthy within configured timeout ({within})") from None

    def mark_all_healthy(self) -> None:
        """Take their health on trust, as after a restart."""
        for target in self.targets:
            target.state = HEALTHY
        self._count()

    def dispose(self) -> None:
        """Ask for nobody's health any more."""
        for probe in self.probes:
            probe.cancel()

    async def drain(self, timeout: int) -> None:
        await asyncio.gather(*(target.drain(timeout / SECOND) for target in self.targets))

    def claim(self, request: Request) -> tuple[Target, Flight]:
        """Choose the target of a request: readers for what only reads, in turns."""
        wants_reader = self._only_reads(request) and not self._wrote_just_now(request)
        for readers in (True, False) if wants_reader else (False,):
            healthy = [target for target in self.targets if target.state == HEALTHY and target.is_reader == readers]
            if healthy:
                self.turns[readers] = (self.turns[readers] + 1) % len(healthy)
                target = healthy[self.turns[readers]]
                return target, target.claim()
        raise ErrorAnswer(503)

    async def send(self, request: Request, answer: Answer) -> Target:
        """Let one of the targets answer."""
        target, flight = self.claim(request)
        await target.send(flight, request, answer, self._cookies(request))
        return target

    def _only_reads(self, request: Request) -> bool:
        return request.is_reading and (self.sockets_read or not request.is_websocket)

    @staticmethod
    def _wrote_just_now(request: Request) -> bool:
        until = request.cookie(WRITER_COOKIE)
        return until.isdecimal() and time.time_ns() // MILLISECOND < int(until)

    def _cookies(self, request: Request) -> list[str]:
        if self.affinity <= 0 or not self.names(readers=True) or self._only_reads(request):
            return []
        until = time.time_ns() + self.affinity
        expires = formatdate((until + SECOND) / SECOND, usegmt=True)
        return [f"{WRITER_COOKIE}={until // MILLISECOND}; Path=/; Expires={expires}; HttpOnly"]

    def _told(self, target: Target, is_well: bool) -> None:
        before = target.state
        if is_well:
            target.state = HEALTHY
        elif before == HEALTHY:
            target.state = UNHEALTHY
        if target.state != before:
            log("INFO", "Target health updated", target=target.address, state=target.state, was=before)
            self._count()

    def _count(self) -> None:
        """One target alone is asked no more once it was well: without it there would be none."""
        if all(target.state == HEALTHY for target in self.targets):
            self.all_healthy.set()
            if len(self.targets) == 1:
                self.dispose()
