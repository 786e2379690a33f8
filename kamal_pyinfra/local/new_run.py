"""Makes the ``Run``: id, time, person, process."""

from __future__ import annotations

import os
import re
import secrets
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kamal_pyinfra.config import Config
from kamal_pyinfra.config.git import git_user
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.plan.run import Run

PROCESSES = Path("/proc")
UNKNOWN = "-"


def current_holder() -> str:
    """``HOST/BOOT/NAMESPACE PID START`` of this process.

    A host name is not unique, and two containers of one name on one machine number their processes alike; so the boot
    of the machine and the process namespace come with it. A later process with the same number has another start time.
    An earlier kp compares the first word with its host name, and so leaves such a lock to its lease.
    """
    return f"{socket.gethostname()}/{'/'.join(_place())} {os.getpid()} {_start_time(os.getpid())}"


def is_dead(holder: str, own: str) -> bool:
    """Whether that process ran in the same boot and process namespace of this machine as our own, and is gone.

    Of all others nothing is known: ``False``, and the lease of the lock decides. So it does for a lock that names a
    host alone, as an earlier kp wrote it.
    """
    where, _, process = holder.partition(" ")
    pid, _, start = process.partition(" ")
    place = own.partition(" ")[0].partition("/")[2]
    if (
        UNKNOWN in place.split("/")
        or not place
        or not where.endswith(f"/{place}")
        or not re.fullmatch("[0-9]{1,10}", pid)
    ):
        return False
    if now := _start_time(int(pid)):
        return now != start
    try:
        os.kill(int(pid), 0)
    except (OSError, OverflowError) as error:
        return isinstance(error, ProcessLookupError)  # else one of another user may be hidden and alive
    return False


def host_of(holder: str) -> str:
    """The name of the machine that a lock's holder runs on."""
    return holder.partition(" ")[0].partition("/")[0]


def _place() -> tuple[str, str]:
    """This boot of this machine, and the namespace in which processes are numbered; ``-`` for what is unknown."""
    if not (PROCESSES / "self/stat").exists():
        return _output("sysctl", "-n", "kern.bootsessionuuid") or UNKNOWN, "all"  # macOS
    try:
        boot = (PROCESSES / "sys/kernel/random/boot_id").read_text("utf-8").strip()
        namespace = re.sub("[^0-9]", "", str((PROCESSES / "self/ns/pid").readlink()))
    except OSError:
        return UNKNOWN, UNKNOWN
    return boot or UNKNOWN, namespace or UNKNOWN


def _start_time(pid: int) -> str:
    """The process's start time without blanks; empty if there is no such process, or it is hidden.

    Linux has it in clock ticks since the machine started. macOS and the BSDs need a program, which costs as much as a
    round trip.
    """
    if not (PROCESSES / "self/stat").exists():
        return "-".join(_output("ps", "-o", "lstart=", "-p", str(pid)).split())
    try:
        stat = (PROCESSES / f"{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # field 22; the name before it may hold blanks


def _output(*argv: str) -> str:
    """What a program of this machine prints; empty if there is none, or it fails."""
    answer = Programs(env={"LC_ALL": "C", "TZ": "UTC"}).ask(argv, seconds=10)
    return answer.out if answer.succeeded else ""


def new_run(config: Config, version: str, *, command: str = "deploy", **fields: Any) -> Run:
    """Make the values that stay the same on all hosts for one run; ``fields`` are others of ``Run``."""
    return Run(
        config=config,
        version=version,
        run_id=secrets.token_hex(16),
        started_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        performer=git_user("email"),
        locked_by=git_user("name"),
        holder=current_holder(),
        command=command,
        is_setup=command == "setup",
        **fields,
    )
