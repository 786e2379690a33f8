"""Sends what happens in a run to views, as events; reads progress from what hosts print."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kamal_pyinfra.insight.routed import parse_proof
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.shell.image import NOTE
from kamal_pyinfra.shell.proxy.traefik import ROUTES
from kamal_pyinfra.shell.script import WAITING
from kamal_pyinfra.text import one_line

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.runner.failures import HostFailure

FOREIGN = frozenset({"command", "what", "line", "text", "output", "message"})
"""Fields of events with text that programs, hosts and users gave."""


class Report:
    """The events of a run, sent to views as they happen.

    Args:
        views: get every event, in this order.
        show_plan: gets the plan itself, before the event about it.
        clock: seconds, for the times of events.
    """

    def __init__(
        self,
        views: Sequence[events.View],
        show_plan: Callable[[Plan], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.views = views
        self.show_plan = show_plan
        self.clock = clock
        self.began = clock()
        self.phase = ""
        self.phase_began_at = 0.0
        self.is_over = False
        self.progress = ProgressParser()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return round(self.clock() - self.began, 3)

    def emit(self, kind: type[events.AnyEvent], **fields: Any) -> None:
        """Send an event of now; its phase is the one that goes on."""
        phase = {"phase": self.phase} if "phase" in kind.model_fields else {}
        self._send(kind(at=self.now, **(phase | fields)))

    def _send(self, event: events.AnyEvent) -> None:
        """Show an event to every view, without secrets."""
        changed: dict[str, object] = {}
        for name in FOREIGN.intersection(type(event).model_fields):
            value = getattr(event, name)
            changed[name] = redacted(value) if isinstance(value, str) else [redacted(line) for line in value]
        event = event.model_copy(update=changed) if changed else event
        for view in self.views:
            view(event)

    def started(self, command: str, *, service: str = "", version: str = "", urls: Sequence[str] = ()) -> None:
        """The run begins."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.emit(events.RunStarted, command=command, time=at, service=service, version=version, urls=urls)

    def planned(self, plan: Plan) -> None:
        """The plan is known; nothing has changed yet."""
        if self.show_plan is not None:
            self.show_plan(plan)
        self.emit(events.PlanMade, plan=plan_document(plan))
        if plan.is_empty:
            self.ended("nothing to change")

    def phase_began(self, phase: str, hosts: Sequence[str] = ()) -> None:
        """A phase starts on these hosts; without hosts it happens on the deploying machine."""
        self.phase, self.phase_began_at = phase, self.now
        self.emit(events.PhaseStarted, hosts=hosts)

    def phase_ended(self, phase: str, *, succeeded: bool) -> None:
        """A phase is over on all its hosts."""
        self.emit(events.PhaseEnded, phase=phase, succeeded=succeeded, seconds=round(self.now - self.phase_began_at, 3))

    @contextmanager
    def phase_of_this_machine(self, phase: str) -> Iterator[None]:
        """A phase on the deploying machine; whatever is raised inside, it has failed."""
        self.phase_began(phase)
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            self.phase_ended(phase, succeeded=succeeded)

    def host_output(self, host: str, line: str) -> None:
        """A host printed a line while a command runs on it; most lines are no progress.

        What the release command prints is shown as it comes.
        """
        if self.phase == "release":
            self.output(one_line(line))
        elif (event := self.progress.event(self.now, host, line, self.phase)) is not None:
            self._send(event)

    def output(self, line: str) -> None:
        """A program on the deploying machine printed a line."""
        self.emit(events.Output, line=line)

    def warned(self, text: str) -> None:
        """Something works, but perhaps not as meant."""
        self.emit(events.Warned, text=text)

    def failed(self, failure: HostFailure) -> None:
        """A host failed."""
        operation = failure.operation.rpartition("| ")[2]
        self.emit(events.Failed, host=failure.host, phase=failure.phase, operation=operation, output=failure.output)

    def ended(self, result: events.Result, message: str = "") -> None:
        """The run is over; only the first call counts."""
        if not self.is_over:
            self.is_over = True
            self.emit(events.RunEnded, result=result, message=message)


LAYER = re.compile(r"([0-9a-f]{12}): (.+)")
KNOWN = ("Pulling fs layer", "Already exists", "Waiting", "Downloading", "Verifying Checksum", "Download complete")
THERE = ("Already exists", "Pull complete")
STATUS = re.compile(r"\b(?:error: |HTTP/[\d.]+\"? |status(?: code)?:? )?([1-5]\d\d)\b")
SHOWN = 60
DEFAULT_INTERVAL = 30
"""Seconds; Docker's, for an image without one."""


@dataclass
class ProgressParser:
    """Finds progress in what hosts print, and counts the layers that they have."""

    layers: dict[str, dict[str, bool]] = field(default_factory=dict)

    def event(self, at: float, host: str, line: str, phase: str) -> events.AnyEvent | None:
        """Return what a line of a host means, at this time and in this phase; ``None`` for most."""
        if line.startswith(WAITING):
            return _waiting(at, host, line.removeprefix(WAITING))
        if line.startswith(ROUTES):
            proof = parse_proof(host, line.removeprefix(ROUTES))
            if proof is None:
                return None
            return events.ProxyAsked(at=at, host=host, container=proof.container, proof=proof.kind, reason=proof.reason)
        if line.startswith(NOTE):
            return events.Warned(at=at, phase=phase, text=f"{host}: {one_line(line.removeprefix(NOTE))}")
        pulled = LAYER.fullmatch(line)
        if pulled is None or pulled[2] not in (*KNOWN, *THERE):
            return None
        layers = self.layers.setdefault(host, {})
        before = (sum(layers.values()), len(layers))
        layers[pulled[1]] = layers.get(pulled[1], False) or pulled[2] in THERE
        after = (sum(layers.values()), len(layers))
        return events.PullProgress(at=at, host=host, layers=after[0], of=after[1]) if after != before else None


def _waiting(at: float, host: str, text: str) -> events.Waiting | None:
    """``CONTAINER NUMBER DEADLINE INTERVAL START END CODE OUTPUT``; the interval is in nanoseconds."""
    try:
        container, number, deadline, interval, start, end, code, output = text.split(" ", 7)
        took = (_time(end) - _time(start)).total_seconds() * 1000
        answer = _answer(str(json.loads(output)), int(code))
        of = max(int(number), round(int(deadline) / (int(interval) / 1e9 or DEFAULT_INTERVAL)))
        what = f"health check {int(number)}/{of}: {answer} in {took:.0f} ms"
    except (ValueError, TypeError):
        return None
    return events.Waiting(at=at, host=host, subject=one_line(container), what=what)


def _time(text: str) -> datetime:
    """Docker has nine digits of a second, Python six."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(json.loads(text))))


def _answer(output: str, code: int) -> str:
    """The HTTP status if the probe printed one, else its last line, else its exit code."""
    if code == 0:
        return "passed"
    lines = [one_line(line.strip()) for line in re.split(r"[\r\n]+", output) if line.strip()]
    found = STATUS.search(lines[-1]) if lines else None
    if found:
        return found[1]
    return lines[-1][:SHOWN] if lines else f"exit code {code}"
