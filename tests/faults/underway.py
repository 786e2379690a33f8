"""A command under way: what it has said so far, and the moment at which a phase begins."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.lab.lab import Lab

BEFORE = {"lock": None, "prepare": "lock", "boot": "prepare", "gate": "prepare", "switch": "boot", "retire": "boot"}
BEFORE["finish"] = "switch"
"""The phase whose end is the beginning of another; kp says `<phase> done in` at the end of each.

The old container is retired within the switch, where its host has drained it."""

SIGNS = {
    "observe": "[ -n \"$(ss -Htn state established '( sport = :22 )')\" ]",
    "lock": "test -d .kamal/locks/shop",
    "boot": "docker inspect {new} > /dev/null 2>&1",
    "gate": '[ "$(docker inspect --format "{{{{.State.Health.Status}}}}" {new} 2> /dev/null)" = healthy ]',
    "switch": '[ ! -e "$cord/cord" ]',
    "retire": '[ "$(docker inspect --format "{{{{.State.Health.Status}}}}" {old} 2> /dev/null)" = unhealthy ]',
}
"""How the phase is seen on a host, beyond what kp says: the lock is there, the new container runs, is healthy, ..."""

FIRST = {
    "switch": 'cord=$(docker inspect --format \'{{{{range .Mounts}}}}{{{{if eq .Destination "/tmp/kamal-cord"}}}}'
    '{{{{.Source}}}}{{{{end}}}}{{{{end}}}}\' {old}); [ -d "$cord" ] || exit 2',
}
"""What is asked once, before a sign is looked for; the phase may be short."""


class PhaseMissed(Exception):
    """The command ended before the phase was seen."""


def _is_seen(lab: Lab, phase: str, host: str, names: dict[str, str]) -> bool:
    """Watch a host until it shows the sign of a phase, for two minutes at most; true for a phase without one."""
    if (sign := SIGNS.get(phase)) is None:
        return True
    host = "web1" if phase == "lock" else host  # the lock is on the first host alone
    first, test = FIRST.get(phase, ":").format(**names), sign.format(**names)
    watch = f"end=$(($(date +%s) + 120)); until {{ {test}; }}; do [ $(date +%s) -lt $end ] || exit 1; sleep 0.05; done"
    return lab.exec(host, f"cd /root; {first}; {watch}", check=False, timeout=150).returncode == 0


@dataclass
class Ended:
    """How a command ended, and what it used."""

    code: int
    said: str
    seconds: float
    memory_kb: int


@dataclass
class Underway:
    """A process in a group of its own whose output is read as it comes."""

    process: subprocess.Popen[str]
    began: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    is_over: bool = False

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.is_over = True
            self.news.notify_all()

    def await_line(self, pattern: str, seconds: float = 90) -> None:
        """Wait until a line matches."""
        with self.news:
            found = self.news.wait_for(
                lambda: self.is_over or any(re.search(pattern, line) for line in self.lines), seconds
            )
            if not found or not any(re.search(pattern, line) for line in self.lines):
                raise PhaseMissed(f"no line with {pattern!r}:\n{''.join(self.lines)}")

    def await_phase(self, lab: Lab, phase: str, host: str, *, new: str, old: str) -> None:
        """Wait until a phase is under way on a host: by what kp said, and by the state of the host.

        The host is watched from the beginning: a phase may be over before a watch that begins with it has started.
        """
        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(_is_seen, lab, phase, host, {"new": new, "old": old})
            if (before := BEFORE.get(phase)) is not None:
                self.await_line(rf"\b{before} +done in")
            if not watching.result():
                raise PhaseMissed(f"{phase} was not seen on {host}:\n{''.join(self.lines)}")
        if self.is_over:
            raise PhaseMissed(f"the command ended before {phase} was seen on {host}:\n{''.join(self.lines)}")

    def send(self, number: int) -> None:
        """Send a signal to the process alone."""
        os.kill(self.process.pid, number)

    def end(self, seconds: float) -> Ended:
        """Wait for the end; a process that takes longer is killed, with exit code -1000."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGCONT)
                os.killpg(self.process.pid, signal.SIGKILL)
                _, status, usage = os.wait4(self.process.pid, 0)
                self.process.returncode = -1000
                break
            time.sleep(0.02)
        self.reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return Ended(self.process.returncode, "".join(self.lines), time.monotonic() - self.began, usage.ru_maxrss)
