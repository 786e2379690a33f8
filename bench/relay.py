"""A relay that delays: so many milliseconds each way between this machine and the hosts' SSH servers."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from types import TracebackType
from typing import Self

PORT = 2222


class Relay:
    """Listens on loopback addresses, one per host, and passes on what comes, late.

    Args:
        targets: loopback address → the host's own.
        round_trip: milliseconds that an answer takes longer.
    """

    def __init__(self, targets: dict[str, str], round_trip: float) -> None:
        self.targets = targets
        self.delay = round_trip / 2000
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            self.loop.call_soon_threadsafe(server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _listen(self) -> None:
        self.servers = [
            await asyncio.start_server(partial(self._serve, host), near, PORT) for near, host in self.targets.items()
        ]

    async def _serve(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, 22)
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Everything is as late as the first byte was, and nothing waits for what came before it."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.ensure_future(self._send(late, target))
        try:
            while chunk := await source.read(65536):
                late.put_nowait((self.loop.time() + self.delay, chunk))
        except ConnectionError:
            pass
        late.put_nowait((self.loop.time() + self.delay, b""))
        await sender

    async def _send(self, late: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter) -> None:
        try:
            while True:
                due, chunk = await late.get()
                await asyncio.sleep(max(0.0, due - self.loop.time()))
                if not chunk:
                    break
                target.write(chunk)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()
