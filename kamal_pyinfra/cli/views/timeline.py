"""The timeline of the last deploy: a chart of characters, and an HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kamal_pyinfra.cli.output import cut, duration
from kamal_pyinfra.runner.progress.timeline import LOCAL, Load, Span, Timeline
from kamal_pyinfra.text import one_line

PHASES = {
    "observe": ("o", "white", "#b8bcc4"),
    "build": ("B", "blue", "#4c78a8"),
    "lock": ("l", "bright_black", "#8a8f98"),
    "unlock": ("l", "bright_black", "#8a8f98"),
    "prepare": ("p", "cyan", "#39a0b5"),
    "release": ("L", "bright_cyan", "#3fb6c6"),
    "boot": ("b", "yellow", "#e0a030"),
    "switch": ("s", "green", "#4d9f57"),
    "watch": ("w", "bright_green", "#6fcf97"),
    "retire": ("r", "magenta", "#9a6fb0"),
    "revert": ("R", "red", "#c8453b"),
    "finish": ("f", "bright_blue", "#6f8fd8"),
}
"""A letter, its colour in a terminal, and the colour on a page."""
HOOK = ("h", "white", "#b08968")
NAME_CELLS = 24
THIS_MACHINE = "this machine"
LETTER_WIDTH = 0.9
"""Per cent of the page's chart that a letter of a bar's name takes."""


def timeline_lines(timeline: Timeline, load: Load | None, *, width: int) -> list[Text]:
    """Return the chart, the duration of each phase, and the results of a load, ``width`` cells wide."""
    rows = hosts_of(timeline)
    name = min(NAME_CELLS, max(cell_len(host or THIS_MACHINE) for host in rows))
    cells = max(10, width - name - 2)
    middle, end = f"{timeline.seconds / 2:.1f} s", f"{timeline.seconds:.1f} s"
    scale = f"{'0':<{cells // 2}}{middle}".ljust(cells - len(end))[: cells - len(end)] + end
    names = dict.fromkeys("lock" if phase.phase == "unlock" else phase.phase for phase in timeline.phases)
    legend = "  ".join(f"{PHASES.get(name, HOOK)[0]} {name}" for name in names)
    return [
        Text(cut(f"{timeline.command} of {timeline.service} {timeline.version}, {timeline.time}", width), style="bold"),
        *(Text(cut(f"{timeline.result} after {duration(timeline.seconds)}", width)), Text()),
        Text(" " * (name + 2) + scale, style="dim"),
        *(_row(host, timeline, name, cells) for host in rows),
        *(Text(), Text(legend, style="dim"), Text()),
        *(Text(cut(line, width)) for line in _table(timeline)),
        *([Text(), Text(cut(load_line(load), width), style="red" if load.failed else "green")] if load else []),
    ]


def load_line(load: Load) -> str:
    """Return ``load: 1234 requests served, 0 failed; v1 600, v2 634``."""
    versions = ", ".join(f"{version} {count}" for version, count in load.versions.items())
    text = f"load: {load.total - load.failed} requests served, {load.failed} failed"
    return one_line(f"{text}; {versions}" if versions else text)


def hosts_of(timeline: Timeline) -> list[str]:
    """Return the rows of a chart: the deploying machine if it did something, hosts of the plan, then all others."""
    active = {span.host for span in timeline.spans}
    planned = [host.host for host in timeline.plan.hosts]
    return [*([LOCAL] if LOCAL in active else []), *planned, *sorted(active - {LOCAL, *planned})]


def _row(host: str, timeline: Timeline, name: int, cells: int) -> Text:
    row = Text(f"{set_cell_size(cut(host or THIS_MACHINE, name), name)}  ")
    drawn: list[Span | None] = [None] * cells
    scale = cells / (timeline.seconds or 1.0)
    for span in (span for span in timeline.spans if span.host == host):
        first = min(cells - 1, int(span.began * scale))
        last = min(cells, max(first + 1, round(span.ended * scale)))
        drawn[first:last] = [span] * (last - first)
    for cell in drawn:
        letter, color, _ = PHASES.get(cell.phase, HOOK) if cell else ("·", "bright_black", "")
        failed = cell is not None and not cell.succeeded
        row.append(*(("✗", "bold red") if failed else (letter, f"black on {color}" if cell else color)))
    return row


def _table(timeline: Timeline) -> Iterator[str]:
    """Yield a line for each phase, with its slowest operation and the host of that."""
    wide = max(len(phase.phase) for phase in timeline.phases)
    long = max(len(duration(phase.seconds)) for phase in timeline.phases)
    has_batches = max(phase.batch for phase in timeline.phases) > 1
    for phase in timeline.phases:
        end = phase.began + phase.seconds
        within = [span for span in timeline.spans if span.phase == phase.phase and phase.began <= span.began <= end]
        slow = max(within, key=lambda span: span.ended - span.began, default=None)
        words = (
            f"batch {phase.batch}" if phase.batch and has_batches else "",
            "" if phase.succeeded else "failed",
            f"{slow.operation} on {slow.host} {duration(slow.ended - slow.began)}" if slow and slow.operation else "",
        )
        time = f"{phase.phase:<{wide}}  {phase.began:6.1f} s  {duration(phase.seconds):>{long}}"
        yield f"{time}  {', '.join(filter(None, words))}".rstrip()


def timeline_html(timeline: Timeline, load: Load | None) -> str:
    """Return the page; ``load`` is the result of requests made meanwhile, if there were any."""
    from jinja2 import Environment, StrictUndefined

    page = files("kamal_pyinfra.cli").joinpath("pages/timeline.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    plan = timeline.plan
    changes = [(host.host, change) for host in plan.hosts for change in host.changes if not change.part_of]
    return environment.from_string(page).render(
        timeline=timeline,
        load=load,
        load_line=load_line(load) if load else "",
        hosts=hosts_of(timeline),
        here=THIS_MACHINE,
        bars=lambda host: [_bar(span, timeline) for span in timeline.spans if span.host == host],
        color=lambda phase: PHASES.get(phase, HOOK)[2],
        duration=duration,
        changes=[*([(THIS_MACHINE, plan.build)] if plan.build else []), *changes],
    )


def _bar(span: Span, timeline: Timeline) -> dict[str, object]:
    scale = 100 / (timeline.seconds or 1.0)
    width = max(0.3, (span.ended - span.began) * scale)
    name = f"{span.phase}: {span.operation}" if span.operation else span.phase
    during = (wait for wait in timeline.waits if wait.host == span.host and span.began <= wait.at <= span.ended)
    waits = "".join(f"\n{wait.at:.1f} s  {wait.what}" for wait in during)
    return {
        "phase": span.phase,
        "failed": not span.succeeded,
        "left": span.began * scale,
        "width": width,
        "name": span.phase if width > LETTER_WIDTH * (len(span.phase) + 1) else "",
        "hint": f"{name}, {duration(span.ended - span.began)}{'' if span.succeeded else ', failed'}{waits}",
    }
