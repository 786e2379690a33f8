"""The last deploy as one HTML file that needs nothing else; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from kamal_pyinfra.cli.timeline_style import COLORS, OTHER, STYLE
from kamal_pyinfra.cli.timeline_text import THIS_MACHINE, ending, hosts_of, load_line, title
from kamal_pyinfra.cli.views.words import duration
from kamal_pyinfra.plan.output.document import ChangeDocument
from kamal_pyinfra.runner.progress.timeline import Load, Span, Timeline

TICKS = 5
LETTER = 0.9
"""Per cent of the width that a letter of a bar's name takes."""


def timeline_html(timeline: Timeline, load: Load | None) -> str:
    """The page.

    Args:
        timeline: of the last deploy.
        load: what asked the app meanwhile, if anything did.
    """
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
    said = f"{span.phase}: {span.operation}" if span.operation else span.phase
    waits = [
        f"\n{wait.at:.1f} s  {wait.what}"
        for wait in timeline.waits
        if wait.host == span.host and span.began <= wait.at <= span.ended
    ]
    hint = f"{said}, {duration(span.ended - span.began)}{'' if span.succeeded else ', failed'}{''.join(waits)}"
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
