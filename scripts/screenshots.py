"""Draw what ``kp`` shows on a terminal into docs/images/, as SVG; the deploy is made up, all that draws it is real.

``--check`` writes nothing and exits 1 when the text of an image is not what it would be.
"""

from __future__ import annotations

import html
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from plan_blocks import PLANS, deployed_host, example_config, example_run, plan_text
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from kamal_pyinfra.cli.commands import status
from kamal_pyinfra.cli.output import COLORS, more
from kamal_pyinfra.cli.views import live, plain
from kamal_pyinfra.cli.views import live as frame
from kamal_pyinfra.cli.views.timeline import timeline_lines
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.insight.status import StatusRow
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.runner.failures import HostFailure, failure_message
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.runner.progress.timeline import Load, Recorder

IMAGES = Path(__file__).parent.parent / "docs/images"
WIDTH = 92
MOMENT = datetime(2026, 1, 2, 10, 5, 0, tzinfo=UTC)
WEB, JOB = ("192.0.2.11", "192.0.2.12"), "192.0.2.13"
HOSTS = (*WEB, JOB)
HEALTH = (
    'kp-waiting shop-web-v2 1 28 1000000000 "2026-05-01T10:00:00.000000001Z" "2026-05-01T10:00:00.012Z" 22 '
    '"curl: (22) The requested URL returned error: 503"'
)
LOG = ("shop-web-v2: not healthy after 28 s (running unhealthy)", "last lines of its log:", "no database at db:5432")
NO_FONTS = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Without addresses of fonts: a picture asks nobody."""


class Clock:
    """Seconds that pass as told."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Story:
    """A deploy of the example with three hosts, told to a view step by step."""

    def __init__(self, view: Callable[[object], None], clock: Clock) -> None:
        self.clock = clock
        self.emitter = Report([view], clock=clock)

    def until_boot(self) -> None:
        """Look, lock and prepare; the new containers are being started."""
        shown = PLANS["new-version"]
        config = example_config(shown.example)
        before, after = example_run(config, shown.running), example_run(config, shown.version)
        plan = make_plan(after, {host: deployed_host(before, host) for host in HOSTS})
        self.emitter.started("deploy", service="shop", version="v2", urls=["https://shop.example.com"])
        self.clock.pause(0.6)
        self.emitter.planned(plan)
        self.phase("lock", "Take the deploy lock", 0.4, HOSTS[:1])
        self.phase("prepare", "Pull the image", 1.3, HOSTS)
        self.emitter.emit(events.BatchStarted, number=1, of=1, hosts=HOSTS)
        self.emitter.phase_began("boot", HOSTS)
        self.emitter.emit(events.OperationStarted, operation="Boot the primary role")
        self.clock.pause(1.1)
        self.emitter.emit(events.HostFinished, host=JOB, operation="Boot the primary role", succeeded=True)
        self.emitter.host_output(WEB[0], HEALTH)
        self.emitter.host_output(WEB[1], HEALTH)

    def boot_fails(self) -> HostFailure:
        """One host's new container does not get healthy."""
        self.clock.pause(27.2)
        self.emitter.emit(events.HostFinished, host=WEB[1], operation="Boot the primary role", succeeded=False)
        self.emitter.phase_ended("boot", succeeded=False)
        self.emitter.emit(events.Gate, hosts=HOSTS, passed=False)
        failure = HostFailure(host=WEB[1], phase="boot", operation="Boot | Boot the primary role", output=LOG)
        self.emitter.failed(failure)
        self.phase("revert", "Bring the old version back", 0.8, HOSTS)
        return failure

    def to_the_end(self) -> None:
        """All that follows a good boot."""
        for host, seconds in zip(WEB, (0.9, 0.3), strict=True):
            self.clock.pause(seconds)
            self.emitter.emit(events.HostFinished, host=host, operation="Boot the primary role", succeeded=True)
        self.emitter.emit(events.OperationEnded, operation="Boot the primary role", changed=HOSTS)
        self.emitter.phase_ended("boot", succeeded=True)
        self.emitter.emit(events.Gate, hosts=HOSTS, passed=True)
        self.phase("switch", "Drain the old version", 1.3, HOSTS)
        self.phase("finish", "Mark the version in service", 0.3, HOSTS)
        self.emitter.ended("done")

    def phase(self, name: str, operation: str, seconds: float, hosts: tuple[str, ...]) -> None:
        """A phase of one operation."""
        self.emitter.phase_began(name, hosts)
        self.emitter.emit(events.OperationStarted, operation=operation)
        for host in hosts:
            self.clock.pause(seconds / len(hosts))
            self.emitter.emit(events.HostFinished, host=host, operation=operation, succeeded=True)
        self.emitter.emit(events.OperationEnded, operation=operation, changed=hosts)
        self.emitter.phase_ended(name, succeeded=True)


def recording() -> Console:
    """A terminal that remembers."""
    return Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)


def plan_image(console: Console) -> None:
    """``kp plan`` with a new version."""
    console.print("$ kp plan", style="bold")
    for line in plan_text(PLANS["new-version"]).splitlines():
        sign = re.match(r"  ([+~±-]) ", line)
        shown = Text(line, style="bold" if line.startswith("Plan") else "")
        if sign:
            shown.stylize(f"bold {COLORS[sign[1]]}", *sign.span(1))
        console.print(shown)


@contextmanager
def watched(console: Console) -> Iterator[tuple[live.LiveView, Story]]:
    """A live view that is not redrawn by itself, at a time of its own."""
    clock = Clock()
    view = live.LiveView(console, verbose=False)
    view.live = SimpleNamespace(is_started=False, start=lambda: None)  # type: ignore[assignment]

    def spelled(form: str) -> str:
        return (MOMENT + timedelta(seconds=clock.now)).strftime(form)

    with patch.object(plain, "time", SimpleNamespace(strftime=spelled)):
        yield view, Story(view, clock)


def live_image(console: Console) -> None:
    """A deploy that waits for health checks."""
    console.print("$ kp deploy", style="bold")
    with watched(console) as (view, story):
        story.until_boot()
        story.clock.pause(0.4)
        for line in frame.frame(view.progress, story.clock.now, width=WIDTH, rows=20):
            console.print(line)


def failure_image(console: Console) -> None:
    """A version that does not get healthy."""
    console.print("$ kp deploy", style="bold")
    with watched(console) as (_, story):
        story.until_boot()
        failure = story.boot_fails()
    state = "All hosts run what they ran before; the new containers are gone."
    console.print(Text(failure_message([failure], state, is_brief=True), style="red"))
    console.print(more(HostFailed("")))


def status_image(console: Console) -> None:
    """``kp status``; somebody stopped a container by hand."""
    console.print("$ kp status", style="bold")
    since = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    rows = [
        StatusRow(host=host, role=role, version="v2", state=state, health=health, since=when, drift=drift)
        for host, role, state, health, when, drift in (
            (WEB[0], "web", "running", "healthy", since, ()),
            (WEB[1], "web", "exited", "", "", ("state: running → exited",)),
            (JOB, "job", "running", "healthy", since, ()),
            (JOB, "cron", "running", "", since, ()),
        )
    ]
    console.print(status._table(tuple(rows)))


def timeline_image(console: Console) -> None:
    """``kp timeline`` after a deploy under load."""
    console.print("$ kp timeline --load load.json", style="bold")
    recorder, told = Recorder(), []
    story = Story(lambda event: (recorder.note(event), told.append(event)), Clock())  # type: ignore[arg-type, func-returns-value]
    story.until_boot()
    story.to_the_end()
    found = recorder.timeline(told[-1])
    assert found is not None  # noqa: S101 - the story has an end
    found = found.model_copy(update={"time": MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ")})
    load = Load.model_validate({"total": 1834, "failed": 0, "versions": {"v1": 902, "v2": 932}})
    for line in timeline_lines(found, load, width=WIDTH):
        console.print(line, soft_wrap=True)


DRAWN = {
    "plan": plan_image,
    "live": live_image,
    "failure": failure_image,
    "status": status_image,
    "timeline": timeline_image,
}


def drawn(name: str) -> str:
    """An image as SVG."""
    console = recording()
    DRAWN[name](console)
    return console.export_svg(title="kp", code_format=NO_FONTS, unique_id=f"kp-{name}")


def words_of(svg: str) -> list[str]:
    """The words that an image shows."""
    lines = re.findall(r"<text [^>]*>(.*?)</text>", svg)
    return sorted(" ".join(html.unescape(line) for line in lines if line).replace("\xa0", " ").split())


def main(arguments: list[str]) -> int:
    """Write the images whose text is not what it would be; how they are drawn is rich's affair."""
    code = 0
    for name in DRAWN:
        path = IMAGES / f"{name}.svg"
        svg = drawn(name)
        if path.is_file() and words_of(path.read_text()) == words_of(svg):
            continue
        if "--check" in arguments:
            sys.stderr.write(f"{path} is stale; run scripts/docs\n")
            code = 1
        else:
            path.write_text(svg)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
