"""How times and the end of a run are told."""

from __future__ import annotations

from kamal_pyinfra.insight.routed import Proof, what_serves
from kamal_pyinfra.runner.progress.events import AnyEvent, PhaseEnded, ProxyAsked, RunEnded, RunStarted


def duration(seconds: float) -> str:
    """``4.2 s``, ``1 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s"


class Ending:
    """What is said of a run once it is over."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.phases: dict[str, float] = {}
        self.proofs: list[Proof] = []

    def note(self, event: AnyEvent) -> None:
        """Take an event in; all must come by."""
        if isinstance(event, RunStarted):
            self.started = event
        elif isinstance(event, PhaseEnded):
            self.phases[event.phase] = self.phases.get(event.phase, 0.0) + event.seconds
        elif isinstance(event, ProxyAsked):
            self.proofs.append(Proof(host=event.host, container=event.container, kind=event.proof, reason=event.reason))

    def lines(self, event: RunEnded) -> list[str]:
        """How long it took and, if a version was put into service, where it serves and what took how long."""
        if event.result != "done":
            return []
        lines = [f"Finished in {duration(event.at)}"]
        if self.started is not None and self.started.urls:
            lines += [
                ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in self.phases.items() if seconds >= 0.05),
                what_serves(f"{self.started.service} {self.started.version}", self.started.urls, self.proofs),
            ]
        return lines
