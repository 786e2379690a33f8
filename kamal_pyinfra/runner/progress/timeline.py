"""The times of a run, made from its events and kept for ``kp timeline``; nothing that a host printed is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kamal_pyinfra.plan.output.document import PlanDocument
from kamal_pyinfra.runner.progress import events

FORMAT_VERSION = 1
LOCAL = ""
"""In place of a host: the deploying machine."""
OBSERVE = "observe"
LOCKING = (OBSERVE, "lock", "unlock")
SHORTEST = 0.02
"""Seconds; an operation that had nothing to do is not worth a bar."""


PhaseName = Annotated[str, BeforeValidator(lambda name: OBSERVE if name == "look" else name)]
"""A phase; an earlier kp called the first one ``look`` in the files that it kept."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Span(_Frozen):
    """One host at one operation."""

    host: str = Field(description="Which host; empty for the deploying machine.")
    phase: PhaseName = Field(description="The phase.")
    operation: str = Field(description="The operation; empty for a build or a hook.")
    began: float = Field(description="Seconds since the run began.")
    ended: float = Field(description="Seconds since the run began.")
    succeeded: bool = Field(description="Whether it worked.")


class PhaseTime(_Frozen):
    """One phase on all its hosts."""

    phase: PhaseName
    batch: int = Field(description="Counted from 1; 0 outside of batches.")
    began: float
    seconds: float
    succeeded: bool


class Wait(_Frozen):
    """What a host waited for."""

    at: float
    host: str
    what: str


class Timeline(_Frozen):
    """What ``.kamal/last-deploy.json`` holds."""

    format_version: int = FORMAT_VERSION
    command: str
    service: str
    version: str
    time: str
    urls: list[str]
    seconds: float
    result: events.Result
    plan: PlanDocument
    phases: list[PhaseTime]
    spans: list[Span]
    waits: list[Wait]


@dataclass
class Recorder:
    """Collects events, and makes the timeline of them."""

    started: events.RunStarted | None = None
    plan: PlanDocument | None = None
    batch: int = 0
    phase_began: float = 0.0
    operation_began: float = 0.0
    hosts: list[str] = field(default_factory=list)
    phases: list[PhaseTime] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def note(self, event: events.AnyEvent) -> None:
        """Take an event in."""
        match event:
            case events.RunStarted():
                self.started = event
            case events.PlanMade(at=at, plan=plan):
                self.plan, self.hosts = plan, []
                # All that came before the plan is one phase: connections, and a snapshot of every host.
                self._phase_ended(OBSERVE, 0.0, at, at, succeeded=True)
            case events.BatchStarted(number=number):
                self.batch = number
            case events.PhaseStarted(at=at, phase=phase, hosts=hosts):
                self.phase_began = self.operation_began = at
                self.hosts, self.batch = hosts, 0 if phase in ("finish", "unlock") else self.batch
            case events.OperationStarted(at=at):
                self.operation_began = at
            case events.HostFinished(at=at) if at - self.operation_began >= SHORTEST:
                place = event.model_dump(include={"host", "phase", "operation", "succeeded"})
                self.spans.append(Span(began=self.operation_began, ended=at, **place))
            case events.PhaseEnded(at=at, phase=phase, seconds=seconds, succeeded=succeeded):
                self._phase_ended(phase, self.phase_began, at, seconds, succeeded=succeeded)
            case events.Waiting(at=at, host=host, what=what):
                self.waits.append(Wait(at=at, host=host, what=what))

    def _phase_ended(self, phase: str, began: float, ended: float, seconds: float, *, succeeded: bool) -> None:
        times = PhaseTime(phase=phase, batch=self.batch, began=began, seconds=seconds, succeeded=succeeded)
        self.phases.append(times)
        if not self.hosts:
            span = Span(host=LOCAL, phase=phase, operation="", began=began, ended=ended, succeeded=succeeded)
            self.spans.append(span)

    def timeline(self, end: events.RunEnded) -> Timeline | None:
        """Return the whole; ``None`` of a run that changed nothing."""
        has_changed = any(times.phase not in LOCKING for times in self.phases)
        if self.started is None or self.plan is None or not has_changed:
            return None
        return Timeline(
            **self.started.model_dump(include={"command", "service", "version", "time", "urls"}),
            seconds=end.at,
            result=end.result,
            plan=self.plan,
            phases=self.phases,
            spans=self.spans,
            waits=self.waits,
        )


class Failure(BaseModel):
    """One request that was not answered as it should."""

    at: float = 0.0
    url: str = ""
    kind: str = ""
    error: str = ""


class Load(BaseModel):
    """What asked the app meanwhile, and how often it was not answered: the format of ``kp timeline --load``."""

    total: int = Field(ge=0, description="Requests.")
    failed: int = Field(ge=0, description="Those that were not answered with 200.")
    seconds: float = Field(default=0.0, description="How long it went on.")
    versions: dict[str, int] = Field(default_factory=dict, description="Answers by version.")
    median_ms: float = Field(default=0.0, description="Of the answers.")
    slowest_ms: float = Field(default=0.0, description="Of the answers.")
    failures: list[Failure] = Field(default_factory=list, description="The first of those that failed.")
