"""The timeline of the last deploy as an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from kamal_pyinfra.cli.output import duration
from kamal_pyinfra.cli.views.timeline_text import THIS_MACHINE, ending, hosts_of, load_line, title
from kamal_pyinfra.plan.output.document import ChangeDocument
from kamal_pyinfra.runner.progress.timeline import Load, Span, Timeline

COLORS = {
    "build": "#4c78a8",
    "look": "#b8bcc4",
    "lock": "#8a8f98",
    "unlock": "#8a8f98",
    "prepare": "#39a0b5",
    "release": "#3fb6c6",
    "boot": "#e0a030",
    "switch": "#4d9f57",
    "watch": "#6fcf97",
    "retire": "#9a6fb0",
    "revert": "#c8453b",
    "finish": "#6f8fd8",
}

OTHER = "#b08968"
"""Hooks."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2e7d32; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --good: #81c784; --bad: #ef9a9a; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
a { color: inherit; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.legend span { margin-right: 1rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; border-radius: 2px; }
.row { display: flex; align-items: center; gap: .75rem; }
.row b { flex: 0 0 11rem; font-weight: 500; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.lane, .ticks { position: relative; flex: 1; height: 1.6rem; }
.lane { border-bottom: 1px solid var(--line); }
.lane span { position: absolute; top: 2px; bottom: 2px; border-radius: 2px; overflow: hidden; color: #10131a;
  font-size: .75rem; line-height: 1.3rem; padding: 0 .2rem; box-sizing: border-box; min-width: 2px; }
.lane span:empty { padding: 0; }
.lane span.failed { outline: 2px solid var(--bad); outline-offset: -2px; }
.ticks span { position: absolute; font-size: .75rem; opacity: .7; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; }
.ticks span:last-child { transform: translateX(-100%); }
.chart { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
"""

TICKS = 5
LETTER = 0.9
"""Per cent of the width that a letter of a bar's name takes."""


def timeline_html(timeline: Timeline, load: Load | None) -> str:
    """The page; ``load`` is the result of requests made meanwhile, if there were any."""
    body = "\n".join(filter(None, (_head(timeline), _load(load), _chart(timeline), _phases(timeline), _plan(timeline))))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title(timeline))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _head(timeline: Timeline) -> str:
    kind = "good" if timeline.result == "done" else "bad"
    links = " ".join(f'<a href="{escape(url)}">{escape(url)}</a>' for url in timeline.urls)
    return (
        f"<h1>{escape(f'{timeline.service} {timeline.version}')}</h1>\n"
        f'<p><span class="{kind}">{escape(ending(timeline))}</span> · {escape(timeline.command)} · '
        f"{escape(timeline.time)} · {links}</p>"
    )


def _load(load: Load | None) -> str:
    if load is None:
        return ""
    kind = "bad" if load.failed else "good"
    speed = f" · median {load.median_ms:g} ms, slowest {load.slowest_ms:g} ms" if load.slowest_ms else ""
    failures = "".join(
        f"<li>{failure.at:.1f} s {escape(f'{failure.url} {failure.error}')}</li>" for failure in load.failures
    )
    listed = f"<ul>{failures}</ul>" if failures else ""
    return f'<p class="load {kind}">{escape(load_line(load))}{speed}</p>{listed}'


def _chart(timeline: Timeline) -> str:
    rows = "\n".join(_row(host, timeline) for host in hosts_of(timeline))
    ticks = "".join(
        f'<span style="left:{100 * number / TICKS:.2f}%">{timeline.seconds * number / TICKS:.1f} s</span>'
        for number in range(TICKS + 1)
    )
    phases = dict.fromkeys(phase.phase for phase in timeline.phases)
    legend = " ".join(f'<span><i style="background:{_color(phase)}"></i>{escape(phase)}</span>' for phase in phases)
    return (
        f'<h2>Hosts</h2>\n<p class="legend">{legend}</p>\n'
        f'<div class="chart"><div class="row"><b></b><div class="ticks">{ticks}</div></div>\n{rows}</div>'
    )


def _row(host: str, timeline: Timeline) -> str:
    bars = "".join(_bar(span, timeline) for span in timeline.spans if span.host == host)
    name = escape(host or THIS_MACHINE)
    return f'<div class="row"><b title="{name}">{name}</b><div class="lane">{bars}</div></div>'


def _bar(span: Span, timeline: Timeline) -> str:
    scale = 100 / (timeline.seconds or 1.0)
    left, width = span.began * scale, max(0.3, (span.ended - span.began) * scale)
    name = f"{span.phase}: {span.operation}" if span.operation else span.phase
    waits = [
        f"\n{wait.at:.1f} s  {wait.what}"
        for wait in timeline.waits
        if wait.host == span.host and span.began <= wait.at <= span.ended
    ]
    hint = f"{name}, {duration(span.ended - span.began)}{'' if span.succeeded else ', failed'}{''.join(waits)}"
    name = escape(span.phase) if width > LETTER * (len(span.phase) + 1) else ""
    failed = "" if span.succeeded else ' class="failed"'
    return (
        f'<span{failed} style="left:{left:.2f}%;width:{width:.2f}%;background:{_color(span.phase)}" '
        f'title="{escape(hint)}">{name}</span>'
    )


def _color(phase: str) -> str:
    return COLORS.get(phase, OTHER)


def _phases(timeline: Timeline) -> str:
    rows = (
        (
            phase.phase,
            str(phase.batch or ""),
            f"{phase.began:.1f} s",
            duration(phase.seconds),
            "" if phase.succeeded else "failed",
        )
        for phase in timeline.phases
    )
    return f"<h2>Phases</h2>\n{_table(('phase', 'batch', 'began', 'took', ''), rows)}"


def _plan(timeline: Timeline) -> str:
    plan = timeline.plan
    rows = [*([_change(THIS_MACHINE, plan.build)] if plan.build else []), *_changes(timeline)]
    if not rows:
        return ""
    return f"<h2>Plan</h2>\n{_table(('host', 'change', 'what', 'why'), rows)}"


def _changes(timeline: Timeline) -> Iterator[tuple[str, ...]]:
    for host in timeline.plan.hosts:
        yield from (_change(host.host, change) for change in host.changes if not change.part_of)


def _change(host: str, change: ChangeDocument) -> tuple[str, ...]:
    return (host, change.action, f"{change.kind} {change.subject}", change.cause)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>\n<tr>{heads}</tr>\n{lines}\n</table>"
