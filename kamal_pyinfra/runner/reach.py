"""What this machine can reach: its engine, the addresses of names, and whether a registry answers."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterable

import gevent

SECONDS = 5
ENGINE = ("docker", "version", "--format", "{{.Server.Version}}")


def ask_docker() -> tuple[str, str]:
    """The version of the engine that builds here; or else nothing, and what docker said, if there is one."""
    if shutil.which(ENGINE[0]) is None:
        return "", ""
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of our own, no shell
            ENGINE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=2 * SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "", f"no answer in {2 * SECONDS} s"
    complaint = done.stderr.strip() or f"exit code {done.returncode}"
    return (done.stdout.strip(), "") if done.returncode == 0 else ("", complaint.splitlines()[-1])


def look_up(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of names, side by side; none for a name that has none, or not in time."""
    greenlets = {name: gevent.spawn(_addresses, name) for name in names}
    gevent.joinall(list(greenlets.values()), timeout=SECONDS)
    return {name: greenlet.value or () for name, greenlet in greenlets.items()}


def _addresses(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def ask_registry(server: str) -> str:
    """``https CODE`` or ``http CODE``, or ``failed``, as the hosts say it too."""
    for scheme in ("https", "http"):
        code = _status(scheme, server)
        if code is not None:
            return f"{scheme} {code}"
    return "failed"


def _status(scheme: str, server: str) -> int | None:
    # Only whether something answers is asked, and nothing secret is sent: whose certificate it is does not matter.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        if scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                server, timeout=SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(server, timeout=SECONDS)
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return None
