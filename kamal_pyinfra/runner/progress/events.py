"""What happens in a run, as values: the stream that every view reads, and that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from kamal_pyinfra.plan.output.document import PlanDocument

Result = Literal["done", "nothing to change", "failed", "interrupted"]


class Event(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float = Field(description="Seconds since the run began.")


class RunStarted(Event):
    """The first event; no host has been touched."""

    event: Literal["run_started"] = "run_started"
    command: str = Field(description="What was typed, such as `deploy` or `app stop`.")
    time: str = Field(description="UTC time, ISO 8601.")
    service: str = Field(description="`SERVICE`, or `SERVICE-DESTINATION`; empty where it is not known yet.")
    version: str = Field(description="The version that the run is about; empty if about none.")
    urls: list[str] = Field(description="Where the app can be reached.")


class PlanMade(Event):
    """What will be changed is known; nothing has been changed."""

    event: Literal["plan_made"] = "plan_made"
    plan: PlanDocument = Field(description="As `kp plan --json` prints it.")


class BatchStarted(Event):
    """The next hosts boot together."""

    event: Literal["batch_started"] = "batch_started"
    number: int = Field(description="Counted from 1.")
    of: int = Field(description="How many batches there are.")
    hosts: list[str] = Field(description="Those of the batch.")


class PhaseStarted(Event):
    """A phase begins on its hosts."""

    event: Literal["phase_started"] = "phase_started"
    phase: str = Field(description="`lock`, `prepare`, `boot`, …, or the name of a hook.")
    hosts: list[str] = Field(description="Where; empty for what happens on the deploying machine.")


class PhaseEnded(Event):
    """All hosts of a phase are through, or it failed."""

    event: Literal["phase_ended"] = "phase_ended"
    phase: str = Field(description="As in `phase_started`.")
    succeeded: bool = Field(description="On every host.")
    seconds: float = Field(description="How long it took.")


class OperationStarted(Event):
    """An operation begins on the hosts of the phase."""

    event: Literal["operation_started"] = "operation_started"
    phase: str = Field(description="The phase that it is part of.")
    operation: str = Field(description="Its name, such as `Pull the image`.")


class HostFinished(Event):
    """One host is through with an operation; others may still be at it."""

    event: Literal["host_finished"] = "host_finished"
    phase: str = Field(description="The phase.")
    operation: str = Field(description="The operation.")
    host: str = Field(description="Which host.")
    succeeded: bool = Field(description="Whether it worked there.")


class OperationEnded(Event):
    """All hosts are through with an operation."""

    event: Literal["operation_ended"] = "operation_ended"
    phase: str = Field(description="The phase.")
    operation: str = Field(description="The operation.")
    changed: list[str] = Field(description="Hosts on which it changed something.")


class Waiting(Event):
    """A host waits for something."""

    event: Literal["waiting"] = "waiting"
    host: str = Field(description="Which host.")
    subject: str = Field(description="The container that is waited for.")
    what: str = Field(description="Such as `health check 2/28: 503 in 12 ms`.")


class PullProgress(Event):
    """A host has fetched more of an image."""

    event: Literal["pull_progress"] = "pull_progress"
    host: str = Field(description="Which host.")
    layers: int = Field(description="Layers that are there.")
    of: int = Field(description="Layers that are known to be needed.")


class Gate(Event):
    """Whether every container of a batch is healthy; nothing has been switched yet."""

    event: Literal["gate"] = "gate"
    passed: bool = Field(description="If not, the new containers are taken away.")
    hosts: list[str] = Field(description="Those of the batch.")


class ProxyAsked(Event):
    """A host has found out whether its proxy routes to a new container; a "no" fails the gate."""

    event: Literal["proxy_asked"] = "proxy_asked"
    host: str = Field(description="Which host.")
    container: str = Field(description="The new container.")
    proof: Literal["request", "log", "none"] = Field(
        description="An answer of the container that came through the proxy; the proxy's own log; or nothing."
    )
    reason: str = Field(description="Why nothing was proven; empty otherwise.")


class Output(Event):
    """A line of a program: the build, a hook, or the release command."""

    event: Literal["output"] = "output"
    phase: str = Field(description="The phase.")
    line: str = Field(description="What it printed.")


class Warned(Event):
    """Something works, but perhaps not as meant."""

    event: Literal["warning"] = "warning"
    phase: str = Field(description="The phase.")
    text: str = Field(description="What.")


class Failed(Event):
    """A host failed."""

    event: Literal["failure"] = "failure"
    host: str = Field(description="Which host.")
    phase: str = Field(description="In which phase.")
    operation: str = Field(description="At what; empty if between operations.")
    output: list[str] = Field(description="What the host printed last.")


class RunEnded(Event):
    """The last event."""

    event: Literal["run_ended"] = "run_ended"
    result: Result = Field(description="How it ended.")
    message: str = Field(description="The error; empty without one.")


AnyEvent = (
    RunStarted
    | PlanMade
    | BatchStarted
    | PhaseStarted
    | PhaseEnded
    | OperationStarted
    | HostFinished
    | OperationEnded
    | Waiting
    | PullProgress
    | Gate
    | ProxyAsked
    | Output
    | Warned
    | Failed
    | RunEnded
)
View = Callable[[AnyEvent], None]
"""Shows events, or keeps them; called for each as it happens."""


class EventDocument(RootModel[Annotated[AnyEvent, Field(discriminator="event")]]):
    """One line of ``--json``: an object whose field ``event`` names its kind."""
