"""Ask a target whether it is well: at once, then every interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from .durations import SECOND
from .log import log
from .options import HealthCheck
from .upstream import connect, receive
from .wire import Headers, MalformedError, head_bytes

MOST_REDIRECTS = 10


def url(address: str, check: HealthCheck) -> str:
    """Return what is asked."""
    host = f"{address.partition(':')[0]}:{check.port}" if check.port > 0 else address
    return f"http://{host}/{check.path.lstrip('/')}"


async def probing(address: str, check: HealthCheck, tell: Callable[[bool], None]) -> None:
    """Ask until this task is cancelled; a question that takes longer than the interval delays the next one."""
    loop = asyncio.get_running_loop()
    interval = check.interval / SECOND
    due = loop.time()
    while True:
        problem = await _problem(url(address, check), check)
        if problem:
            log("INFO", "Healthcheck failed", url=url(address, check), error=problem)
        tell(not problem)
        due = max(due + interval, loop.time())
        await asyncio.sleep(due - loop.time())


async def _problem(address: str, check: HealthCheck) -> str:
    try:
        async with asyncio.timeout(check.timeout / SECOND):
            status = await _status(address, check.host)
    except TimeoutError:
        return "request timed out"
    except (OSError, MalformedError, ValueError) as error:
        return f'Get "{address}": {error}'
    return "" if 200 <= status <= 299 else f"unexpected status ({status})"


async def _status(address: str, host: str) -> int:
    """Return the status of an address, where its redirects lead."""
    for _ in range(MOST_REDIRECTS):
        parts = urlsplit(address)
        if parts.scheme != "http":
            raise ValueError("only plain HTTP is followed here")
        stream = await connect(parts.netloc)
        try:
            headers = [("Host", host or parts.netloc), ("User-Agent", "kamal-proxy"), ("Accept-Encoding", "gzip")]
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            await stream.write(head_bytes(f"GET {path} HTTP/1.1", Headers(headers)))
            reply = await receive(stream, "GET")
            async for _piece in stream.body(reply.ending):
                pass
        finally:
            stream.close()
        place = reply.headers.get("Location")
        if reply.status not in (301, 302, 303, 307, 308) or not place:
            return reply.status
        address, host = urljoin(address, place), ""
    raise ValueError(f"stopped after {MOST_REDIRECTS} redirects")
