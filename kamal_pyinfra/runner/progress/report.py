"""Sends what happens in a run to views, as events; reads progress from what hosts print."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
LAYER = re.compile(r"([0-9a-f]{12}): (.+)")
KNOWN = ("Pulling fs layer", "Already exists", "Waiting", "Downloading", "Verifying Checksum", "Download complete")
THERE = ("Already exists", "Pull complete")
STATUS = re.compile(r"\b(?:error: |HTTP/[\d.]+\"? |status(?: code)?:? )?([1-5]\d\d)\b")
SHOWN = 60
DEFAULT_INTERVAL = 30
"""Seconds; Docker's, for an image without one."""


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
        self.layers: dict[str, dict[str, bool]] = {}  # host → layer of an image → whether it is there

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return round(self.clock() - self.began, 3)

    def emit(self, kind: type[events.AnyEvent], **fields: Any) -> None:
        """Send an event of now to every view, without secrets; its phase is the one that goes on."""
        values = {"at": self.now, **({"phase": self.phase} if "phase" in kind.model_fields else {}), **fields}
        for name in FOREIGN.intersection(fields):
            text = fields[name]
            values[name] = redacted(text) if isinstance(text, str) else [redacted(line) for line in text]
        event = kind(**values)
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
        """A host printed a line while a command runs on it; most are no progress, but those of a release command."""
        if self.phase == "release":
            self.output(one_line(line))
        elif line.startswith(WAITING):
            if awaited := _awaited(line.removeprefix(WAITING)):
                self.emit(events.Waiting, host=host, subject=awaited[0], what=awaited[1])
        elif line.startswith(ROUTES):
            if proof := parse_proof(host, line.removeprefix(ROUTES)):
                found = {"container": proof.container, "proof": proof.kind, "reason": proof.reason}
                self.emit(events.ProxyAsked, host=host, **found)
        elif line.startswith(NOTE):
            self.warned(f"{host}: {one_line(line.removeprefix(NOTE))}")
        elif (pulled := LAYER.fullmatch(line)) and pulled[2] in (*KNOWN, *THERE):
            self._pulled(host, pulled[1], is_there=pulled[2] in THERE)

    def _pulled(self, host: str, layer: str, *, is_there: bool) -> None:
        layers = self.layers.setdefault(host, {})
        before = (sum(layers.values()), len(layers))
        layers[layer] = layers.get(layer, False) or is_there
        if (after := (sum(layers.values()), len(layers))) != before:
            self.emit(events.PullProgress, host=host, layers=after[0], of=after[1])

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


def _awaited(text: str) -> tuple[str, str] | None:
    """``CONTAINER NUMBER DEADLINE INTERVAL START END CODE OUTPUT``; the interval is in nanoseconds."""
    try:
        container, number, deadline, interval, start, end, code, output = text.split(" ", 7)
        took = (_time(end) - _time(start)).total_seconds() * 1000
        answer = _answer(str(json.loads(output)), int(code))
        of = max(int(number), round(int(deadline) / (int(interval) / 1e9 or DEFAULT_INTERVAL)))
    except (ValueError, TypeError):
        return None
    return one_line(container), f"health check {int(number)}/{of}: {answer} in {took:.0f} ms"


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
