"""The times of a run, made from its events and kept for ``kp timeline``; nothing that a host said is in it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from kamal_pyinfra.plan.output.document import PlanDocument
from kamal_pyinfra.runner.progress import events

FORMAT_VERSION = 1
HERE = ""
"""In place of a host: the deploying machine."""
LOOK = "look"
LOCKING = (LOOK, "lock", "unlock")
SHORTEST = 0.02
"""Seconds; an operation that had nothing to do is not worth a bar."""


class Span(BaseModel):
    """One host at one operation."""

    model_config = ConfigDict(frozen=True)

    host: str = Field(description="Which host; empty for the deploying machine.")
    phase: str = Field(description="The phase.")
    operation: str = Field(description="The operation; empty for a build or a hook.")
    began: float = Field(description="Seconds since the run began.")
    ended: float = Field(description="Seconds since the run began.")
    succeeded: bool = Field(description="Whether it worked.")


class PhaseTime(BaseModel):
    """One phase on all its hosts."""

    model_config = ConfigDict(frozen=True)

    phase: str
    batch: int = Field(description="Counted from 1; 0 outside of batches.")
    began: float
    seconds: float
    succeeded: bool


class Wait(BaseModel):
    """What a host waited for."""

    model_config = ConfigDict(frozen=True)

    at: float
    host: str
    what: str


class Timeline(BaseModel):
    """What ``.kamal/last-deploy.json`` holds."""

    model_config = ConfigDict(frozen=True)

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


class Recorder:
    """Collects events; :attr:`timeline` is what they amount to."""

    def __init__(self) -> None:
        self.started: events.RunStarted | None = None
        self.plan: PlanDocument | None = None
        self.batch = 0
        self.phase_began = self.operation_began = 0.0
        self.hosts: list[str] = []
        self.phases: list[PhaseTime] = []
        self.spans: list[Span] = []
        self.waits: list[Wait] = []

    def note(self, event: events.AnyEvent) -> None:
        """Take an event in."""
        match event:
            case events.RunStarted():
                self.started = event
            case events.PlanMade(plan=plan):
                self.plan = plan
                self._looked(event.at)
            case events.BatchStarted(number=number):
                self.batch = number
            case events.PhaseStarted(at=at, phase=phase, hosts=hosts):
                self.phase_began = self.operation_began = at
                self.hosts, self.batch = hosts, 0 if phase in ("finish", "unlock") else self.batch
            case events.OperationStarted(at=at):
                self.operation_began = at
            case events.HostFinished():
                self._host_finished(event)
            case events.PhaseEnded():
                self._phase_ended(event)
            case events.Waiting(at=at, host=host, what=what):
                self.waits.append(Wait(at=at, host=host, what=what))

    def _looked(self, at: float) -> None:
        """All that came before the plan is one phase: connections, and a look at every host."""
        self.phases.append(PhaseTime(phase=LOOK, batch=0, began=0.0, seconds=at, succeeded=True))
        self.spans.append(Span(host=HERE, phase=LOOK, operation="", began=0.0, ended=at, succeeded=True))

    def _host_finished(self, event: events.HostFinished) -> None:
        if event.at - self.operation_began >= SHORTEST:
            self.spans.append(
                Span(
                    host=event.host,
                    phase=event.phase,
                    operation=event.operation,
                    began=self.operation_began,
                    ended=event.at,
                    succeeded=event.succeeded,
                )
            )

    def _phase_ended(self, event: events.PhaseEnded) -> None:
        began, succeeded = self.phase_began, event.succeeded
        self.phases.append(
            PhaseTime(phase=event.phase, batch=self.batch, began=began, seconds=event.seconds, succeeded=succeeded)
        )
        if not self.hosts:
            self.spans.append(
                Span(host=HERE, phase=event.phase, operation="", began=began, ended=event.at, succeeded=succeeded)
            )

    def timeline(self, end: events.RunEnded) -> Timeline | None:
        """The whole; ``None`` of a run that changed nothing."""
        has_worked = any(each.phase not in LOCKING for each in self.phases)
        if self.started is None or self.plan is None or not has_worked:
            return None
        return Timeline(
            command=self.started.command,
            service=self.started.service,
            version=self.started.version,
            time=self.started.time,
            urls=self.started.urls,
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
