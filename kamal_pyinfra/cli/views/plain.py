"""One timestamped line per event, and GitHub's groups."""

from __future__ import annotations

import time
from collections.abc import Callable

from kamal_pyinfra.cli.output import duration, echo, echo_command
from kamal_pyinfra.insight.routed import Proof, what_serves
from kamal_pyinfra.runner.progress import events


class PlainView:
    """Print lines for logs, pipes and CI; ``verbose`` adds output of the build and operations that changed nothing."""

    def __init__(self, *, verbose: bool, echo: Callable[[str], object] = echo) -> None:
        self.verbose = verbose
        self.echo = echo
        self.started: events.RunStarted | None = None
        self.phases: dict[str, float] = {}
        self.proofs: list[Proof] = []

    def __call__(self, event: events.AnyEvent) -> None:
        """Print the lines of an event."""
        lines = [_line(event, verbose=self.verbose)]
        match event:
            case events.RunStarted():
                self.started = event
            case events.PhaseEnded(phase=phase, seconds=seconds):
                self.phases[phase] = self.phases.get(phase, 0.0) + seconds
            case events.ProxyAsked(host=host, container=container, proof=kind, reason=reason):
                self.proofs.append(Proof(host=host, container=container, kind=kind, reason=reason))
            case events.RunEnded(result="done", at=at):
                lines = [f"Finished in {duration(at)}"]
                if self.started is not None and self.started.urls:  # a version was put into service
                    took = (f"{phase} {duration(seconds)}" for phase, seconds in self.phases.items() if seconds >= 0.05)
                    what = f"{self.started.service} {self.started.version}"
                    lines += [", ".join(took), what_serves(what, self.started.urls, self.proofs)]
        for line in filter(None, lines):
            self.echo(f"{time.strftime('%H:%M:%S')}  {line}")


def _line(event: events.AnyEvent, *, verbose: bool) -> str | None:
    match event:
        case events.BatchStarted(number=number, of=of, hosts=hosts) if of > 1:
            return f"batch {number}/{of}: {', '.join(hosts)}"
        case events.Waiting(host=host, what=what) if verbose:
            return f"{'boot':<8} {host}: {what}"
        case events.HostFinished(phase=phase, host=host, operation=operation, succeeded=False):
            return f"{phase:<8} {host}: {operation} failed"
        case events.OperationEnded(phase=phase, operation=operation, changed=changed) if changed or verbose:
            return f"{phase:<8} {operation}: {', '.join(changed) or 'nothing to change'}"
        case events.Gate(passed=False):
            return "gate     not every new container is healthy and routed to: nothing is switched"
        case events.PhaseEnded(phase=phase, succeeded=succeeded, seconds=seconds):
            return f"{phase:<8} {'done' if succeeded else 'failed'} in {duration(seconds)}"
        case events.Warned(phase=phase, text=text) | events.Output(phase=phase, line=text) if (
            verbose or phase == "release" or isinstance(event, events.Warned)
        ):
            return f"{phase:<8} {text}"
    return None


class GitHubView:
    """Add marks of GitHub Actions to a plain view: a group to fold for each phase, and failures as annotations."""

    def __init__(self, plain: PlainView, echo: Callable[[str], object] = echo_command) -> None:
        self.plain = plain
        self.echo = echo

    def __call__(self, event: events.AnyEvent) -> None:
        """Print an event and the marks around it."""
        if isinstance(event, events.PhaseStarted):
            hosts = event.hosts if len(event.hosts) < 6 else [f"{len(event.hosts)} hosts"]
            place = f" on {', '.join(hosts)}" if hosts else ""
            self.echo(f"::group::{event.phase}{_escaped(place)}")
        self.plain(event)
        if isinstance(event, events.PhaseEnded):
            self.echo("::endgroup::")
        if isinstance(event, events.Failed):
            what = f"{event.phase}: {event.operation}" if event.operation else event.phase
            text = "\n".join([what, *event.output[-5:]])
            host = _escaped(event.host).replace(":", "%3A").replace(",", "%2C")
            self.echo(f"::error title={host} failed::{_escaped(text)}")


def _escaped(text: str) -> str:
    """Escape text as a workflow command of GitHub requires it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
