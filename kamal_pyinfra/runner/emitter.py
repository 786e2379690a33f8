"""A run's report as events, told to every view."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.redactor import redacted
from kamal_pyinfra.runner import events
from kamal_pyinfra.runner.heard import Heard
from kamal_pyinfra.text import one_line

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Plan
    from kamal_pyinfra.runner.failures import HostFailure

FOREIGN = frozenset({"command", "what", "line", "text", "output", "message"})
"""Fields of events with text that programs, hosts and users gave."""


class Emitter:
    """The :class:`~kamal_pyinfra.runner.report.Report` of a run that somebody watches.

    Args:
        views: told every event, in this order.
        show_plan: told the plan itself, before the event about it.
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
        self.heard_so_far = Heard()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return round(self.clock() - self.began, 3)

    def tell(self, event: events.AnyEvent) -> None:
        """Show an event everywhere, without secrets."""
        event = _redacted(event)
        for view in self.views:
            view(event)

    def started(self, command: str, *, service: str = "", version: str = "", urls: Sequence[str] = ()) -> None:
        """The run begins."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.tell(
            events.RunStarted(at=self.now, command=command, time=at, service=service, version=version, urls=list(urls))
        )

    def planned(self, plan: Plan) -> None:
        """The plan is known."""
        if self.show_plan is not None:
            self.show_plan(plan)
        self.tell(events.PlanMade(at=self.now, plan=plan_document(plan)))
        if plan.is_empty:
            self.ended("nothing to change")

    def batch_began(self, number: int, of: int, hosts: Sequence[str]) -> None:
        """The next hosts boot."""
        self.tell(events.BatchStarted(at=self.now, number=number, of=of, hosts=list(hosts)))

    def gate(self, hosts: Sequence[str], *, passed: bool) -> None:
        """All containers of a batch are healthy, or not."""
        self.tell(events.Gate(at=self.now, passed=passed, hosts=list(hosts)))

    def phase_began(self, phase: str, hosts: Sequence[str]) -> None:
        """A phase starts."""
        self.phase, self.phase_began_at = phase, self.now
        self.tell(events.PhaseStarted(at=self.now, phase=phase, hosts=list(hosts)))

    def operation_began(self, name: str) -> None:
        """An operation starts."""
        self.tell(events.OperationStarted(at=self.now, phase=self.phase, operation=name))

    def host_finished(self, host: str, operation: str, *, succeeded: bool) -> None:
        """One host is through with an operation."""
        self.tell(
            events.HostFinished(at=self.now, phase=self.phase, operation=operation, host=host, succeeded=succeeded)
        )

    def heard(self, host: str, line: str) -> None:
        """A host printed a line while it works; most of them say nothing of its progress.

        What the release command says is shown as it comes.
        """
        if self.phase == "release":
            self.output(one_line(line))
            return
        event = self.heard_so_far.event(self.now, host, line, self.phase)
        if event is not None:
            self.tell(event)

    def operation_ended(self, name: str, changed: Sequence[str]) -> None:
        """All hosts are through with an operation."""
        self.tell(events.OperationEnded(at=self.now, phase=self.phase, operation=name, changed=list(changed)))

    def phase_ended(self, phase: str, *, succeeded: bool) -> None:
        """A phase is over."""
        seconds = round(self.now - self.phase_began_at, 3)
        self.tell(events.PhaseEnded(at=self.now, phase=phase, succeeded=succeeded, seconds=seconds))

    def output(self, line: str) -> None:
        """A program here printed a line."""
        self.tell(events.Output(at=self.now, phase=self.phase, line=line))

    def warned(self, text: str) -> None:
        """Something is odd."""
        self.tell(events.Warned(at=self.now, phase=self.phase, text=text))

    def failed(self, failure: HostFailure) -> None:
        """A host failed."""
        operation = failure.operation.rpartition("| ")[2]
        self.tell(
            events.Failed(
                at=self.now,
                host=failure.host,
                phase=failure.phase,
                operation=operation,
                output=list(failure.output),
            )
        )

    def finished(self, seconds: float) -> None:
        """All is done."""
        self.ended("done")

    def ended(self, result: events.Result, message: str = "") -> None:
        """The run is over; only the first word about that counts."""
        if not self.is_over:
            self.is_over = True
            self.tell(events.RunEnded(at=self.now, result=result, message=message))


def _redacted(event: events.AnyEvent) -> events.AnyEvent:
    changed: dict[str, object] = {}
    for name in FOREIGN.intersection(type(event).model_fields):
        value = getattr(event, name)
        changed[name] = redacted(value) if isinstance(value, str) else [redacted(each) for each in value]
    return event.model_copy(update=changed) if changed else event
