"""How times and the end of a run are told."""

from __future__ import annotations

from kamal_pyinfra.runner.events import AnyEvent, PhaseEnded, ProxyAsked, RunEnded, RunStarted


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
        self.asked: list[ProxyAsked] = []

    def note(self, event: AnyEvent) -> None:
        """Take an event in; all must come by."""
        if isinstance(event, RunStarted):
            self.started = event
        elif isinstance(event, PhaseEnded):
            self.phases[event.phase] = self.phases.get(event.phase, 0.0) + event.seconds
        elif isinstance(event, ProxyAsked):
            self.asked.append(event)

    def lines(self, event: RunEnded) -> list[str]:
        """How long it took and, if a version was put into service, where it serves and what took how long."""
        if event.result != "done":
            return []
        lines = [f"Finished in {duration(event.at)}"]
        if self.started is not None and self.started.urls:
            lines += [
                ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in self.phases.items() if seconds >= 0.05),
                self._what_serves(self.started),
            ]
        return lines

    def _what_serves(self, started: RunStarted) -> str:
        """Only what was seen: that it serves where a request through each proxy was answered by a new container."""
        what = f"{started.service} {started.version}"
        if not self.asked:
            return f"{what} runs; no container behind the proxy was started, so the proxy was not asked"
        unproven = [event for event in self.asked if event.proof == "none"]
        logged = [event for event in self.asked if event.proof == "log"]
        if not unproven and not logged:
            return f"{what} serves at {' '.join(started.urls)}"
        told = [f"that the proxy routes to it was not proven on {_places(unproven)}"] if unproven else []
        told += (
            [f"no request was sent through the proxy on {_hosts(logged)}: its log says that it routes"]
            if logged
            else []
        )
        return f"{what} runs; {'; '.join(told)}"


def _places(unproven: list[ProxyAsked]) -> str:
    reasons: dict[str, list[ProxyAsked]] = {}
    for event in unproven:
        reasons.setdefault(event.reason, []).append(event)
    return ", ".join(f"{_hosts(events)}: {reason}" for reason, events in reasons.items())


def _hosts(events: list[ProxyAsked]) -> str:
    return ", ".join(dict.fromkeys(event.host for event in events))
