"""Lines that a host prints while it works → what it waits for, and how far it is."""

from __future__ import annotations

import json
import re
from datetime import datetime

from kamal_pyinfra.insight.routed import parse_proof
from kamal_pyinfra.runner.events import ProxyAsked, PullProgress, Waiting, Warned
from kamal_pyinfra.shell.health import WAITING
from kamal_pyinfra.shell.image import NOTE
from kamal_pyinfra.shell.proxy.gate import ROUTES
from kamal_pyinfra.text import one_line

LAYER = re.compile(r"([0-9a-f]{12}): (.+)")
KNOWN = ("Pulling fs layer", "Already exists", "Waiting", "Downloading", "Verifying Checksum", "Download complete")
THERE = ("Already exists", "Pull complete")
STATUS = re.compile(r"\b(?:error: |HTTP/[\d.]+\"? |status(?: code)?:? )?([1-5]\d\d)\b")
SHOWN = 60
DEFAULT_INTERVAL = 30
"""Seconds; Docker's, for an image that does not say."""


class Heard:
    """What hosts have said so far."""

    def __init__(self) -> None:
        self.layers: dict[str, dict[str, bool]] = {}

    def event(self, at: float, host: str, line: str, phase: str) -> Waiting | PullProgress | ProxyAsked | Warned | None:
        """What a line of a host tells; ``None`` for all others.

        Args:
            at: seconds since the run began.
            host: where it was printed.
            line: as it came.
            phase: the one that is under way.
        """
        if line.startswith(WAITING):
            return _waiting(at, host, line.removeprefix(WAITING))
        if line.startswith(ROUTES):
            return _asked(at, host, line.removeprefix(ROUTES))
        if line.startswith(NOTE):
            return Warned(at=at, phase=phase, text=f"{host}: {one_line(line.removeprefix(NOTE))}")
        found = LAYER.fullmatch(line)
        return self._pulled(at, host, found[1], found[2]) if found else None

    def _pulled(self, at: float, host: str, layer: str, state: str) -> PullProgress | None:
        if state not in (*KNOWN, *THERE):
            return None
        layers = self.layers.setdefault(host, {})
        before = (sum(layers.values()), len(layers))
        layers[layer] = layers.get(layer, False) or state in THERE
        after = (sum(layers.values()), len(layers))
        return PullProgress(at=at, host=host, layers=after[0], of=after[1]) if after != before else None


def _waiting(at: float, host: str, text: str) -> Waiting | None:
    """``CONTAINER NUMBER DEADLINE INTERVAL START END CODE OUTPUT``; the interval is in nanoseconds."""
    try:
        container, number, deadline, interval, start, end, code, output = text.split(" ", 7)
        took = (_time(end) - _time(start)).total_seconds() * 1000
        said = _said(str(json.loads(output)), int(code))
        of = max(int(number), round(int(deadline) / (int(interval) / 1e9 or DEFAULT_INTERVAL)))
        what = f"health check {int(number)}/{of}: {said} in {took:.0f} ms"
    except (ValueError, TypeError):
        return None
    return Waiting(at=at, host=host, subject=one_line(container), what=what)


def _asked(at: float, host: str, text: str) -> ProxyAsked | None:
    found = parse_proof(host, text)
    if found is None:
        return None
    return ProxyAsked(at=at, host=host, container=found.container, proof=found.kind, reason=found.reason)


def _time(text: str) -> datetime:
    """Docker has nine digits of a second, Python six."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(json.loads(text))))


def _said(output: str, code: int) -> str:
    """The HTTP status if the probe told one, else its last line, else its exit code."""
    if code == 0:
        return "passed"
    lines = [one_line(line.strip()) for line in re.split(r"[\r\n]+", output) if line.strip()]
    found = STATUS.search(lines[-1]) if lines else None
    if found:
        return found[1]
    return lines[-1][:SHOWN] if lines else f"exit code {code}"
