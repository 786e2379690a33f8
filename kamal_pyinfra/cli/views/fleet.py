"""What each host is doing, kept from the events: the model behind the live view; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from kamal_pyinfra.runner.progress import events

WAITS = "waits"
BUSY = "busy"
THROUGH = "through"
FAILED = "failed"


@dataclass
class HostLine:
    """One host.

    Args:
        state: :data:`WAITS` for its turn, :data:`BUSY`, :data:`THROUGH` and waiting for others, or :data:`FAILED`.
        since: when that began, in seconds of the run.
    """

    host: str
    phase: str = ""
    doing: str = ""
    state: str = WAITS
    since: float = 0.0


@dataclass
class Fleet:
    """All hosts of a run, and what happens on the deploying machine."""

    title: str = ""
    phase: str = ""
    batch: str = ""
    gate: str = ""
    operation: str = ""
    here: str = ""
    lines: dict[str, HostLine] = field(default_factory=dict)
    active: tuple[str, ...] = ()

    def note(self, event: events.AnyEvent) -> None:
        """Take an event in."""
        match event:
            case events.PlanMade(plan=plan):
                self.title = " ".join(filter(None, (plan.command, plan.service, plan.version)))
                self.lines = {host.host: HostLine(host.host) for host in plan.hosts}
            case events.BatchStarted(number=number, of=of):
                self.batch, self.gate = (f"batch {number}/{of}" if of > 1 else ""), ""
            case events.PhaseStarted(phase=phase, hosts=hosts):
                self._phase_began(event.at, phase, hosts)
            case events.OperationStarted(operation=operation):
                self.operation = operation
                self._all(event.at, BUSY, operation)
            case events.HostFinished(host=host, operation=operation, succeeded=succeeded):
                self._set(event.at, host, THROUGH if succeeded else FAILED, operation if not succeeded else "")
            case events.Waiting(host=host, what=what):
                self._say(host, what)
            case events.PullProgress(host=host, layers=layers, of=of):
                self._say(host, f"{self.operation}: {layers}/{of} layers")
            case events.Gate(passed=passed):
                self.gate = "gate passed" if passed else "gate closed"
            case events.Output(line=line):
                self.here = line
            case events.PhaseEnded():
                self._all(event.at, WAITS, "")

    def _phase_began(self, at: float, phase: str, hosts: list[str]) -> None:
        self.phase, self.active, self.here = phase, tuple(hosts), ""
        for host in hosts:
            line = self.lines.setdefault(host, HostLine(host))
            if line.state != FAILED or phase == "revert":
                line.phase, line.doing, line.state, line.since = phase, "", BUSY, at

    def _all(self, at: float, state: str, doing: str) -> None:
        for host in self.active:
            self._set(at, host, state, doing)

    def _set(self, at: float, host: str, state: str, doing: str) -> None:
        line = self.lines.get(host)
        if line is None or line.state == FAILED:
            return
        # A host is busy from the start of its phase; operations that have nothing to do there are over at once.
        line.since = at if (line.state, state) in ((BUSY, WAITS), (THROUGH, WAITS)) else line.since
        line.state, line.doing = state, doing

    def _say(self, host: str, doing: str) -> None:
        if host in self.lines:
            self.lines[host].doing = doing
