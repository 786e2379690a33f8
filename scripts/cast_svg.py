"""Draw the recordings in docs/casts/ into docs/images/ as SVG that plays by itself: nothing is fetched, nothing runs.

``--check`` writes nothing and exits 1 when a picture is not what its recording shows.
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte
from generated import write_or_check
from rich.terminal_theme import SVG_EXPORT_THEME

CASTS = Path(__file__).parent.parent / "docs/casts"
IMAGES = CASTS.with_name("images")
SHORTEST_FRAME = 0.08
"""Seconds; what is drawn in pieces is one frame."""
LONGEST_PAUSE = 1.5
LAST_FRAME = 5.0
CELL, LINE, MARGIN, BAR = 8.4, 18, 10, 34
COLOURS = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
"""pyte's names in the order of ANSI."""
STYLE = """text { font: 14px "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; fill: %(ink)s }
.b { font-weight: bold } .d { opacity: .6 }
.film { animation: %(name)s %(seconds).2fs steps(1, end) infinite }
@keyframes %(name)s { %(steps)s }
@media (prefers-reduced-motion: reduce) { .film { animation: none; transform: translateY(%(end)dpx) } }"""


class Frame(NamedTuple):
    """What the screen shows for some seconds: a line of SVG for each row."""

    rows: tuple[str, ...]
    seconds: float


def frames(cast: str) -> Iterator[Frame]:
    """The different screens of a recording (asciicast v2), in order."""
    head, *lines = cast.splitlines()
    size = json.loads(head)
    screen = pyte.Screen(size["width"], size["height"])
    stream = pyte.Stream(screen)
    shown, since, now, before = _rows(screen), 0.0, 0.0, 0.0
    for line in lines:
        at, _, text = json.loads(line)
        now, before = now + min(at - before, LONGEST_PAUSE), at
        if now - since >= SHORTEST_FRAME and (rows := _rows(screen)) != shown:
            yield Frame(shown, now - since)
            shown, since = rows, now
        stream.feed(text)
    yield Frame(shown, now - since)
    yield Frame(_rows(screen), LAST_FRAME)


def _rows(screen: pyte.Screen) -> tuple[str, ...]:
    return tuple(_row(screen.buffer[number], screen.columns) for number in range(screen.lines))


def _row(cells: dict[int, pyte.screens.Char], columns: int) -> str:
    """Runs of cells that look the same, each at its place."""
    spans = []
    line = [(column, cells[column]) for column in range(columns)]
    for look, run in groupby(line, key=lambda cell: (cell[1].fg, cell[1].bold, cell[1].data == " ")):
        if look[2]:
            continue
        found = list(run)
        text = html.escape("".join(cell.data for _, cell in found))
        spans.append(f'<tspan x="{MARGIN + found[0][0] * CELL:g}"{_looks(look[0], is_bold=look[1])}>{text}</tspan>')
    return "".join(spans)


def _looks(colour: str, *, is_bold: bool) -> str:
    fill = ""
    if colour in COLOURS:
        fill = f' fill="{SVG_EXPORT_THEME.ansi_colors[COLOURS.index(colour)].hex}"'
    elif colour != "default":
        fill = f' fill="#{colour}"'
    return fill + (' class="b"' if is_bold else "")


def drawn(name: str, cast: str) -> str:
    """The recording as an animated SVG."""
    film = [frame for frame in frames(cast) if frame.seconds > 0]
    size = json.loads(cast.splitlines()[0])
    width, height = size["width"] * CELL + 2 * MARGIN, size["height"] * LINE + BAR + MARGIN
    kinds = {row: f"r{number}" for number, row in enumerate(dict.fromkeys(r for f in film for r in f.rows if r))}
    defined = "\n".join(f'<text id="{mark}">{row}</text>' for row, mark in kinds.items())
    pictures = "\n".join(
        "".join(
            f'<use href="#{kinds[row]}" y="{number * height + BAR + (line + 1) * LINE:g}"/>'
            for line, row in enumerate(frame.rows)
            if row
        )
        for number, frame in enumerate(film)
    )
    style = STYLE % {
        "ink": SVG_EXPORT_THEME.foreground_color.hex,
        "name": f"cast-{name}",
        "seconds": sum(frame.seconds for frame in film),
        "steps": _steps(film, height),
        "end": -(len(film) - 1) * height,
    }
    dots = "".join(
        f'<circle cx="{20 + 20 * number}" cy="17" r="6" fill="{colour}"/>'
        for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
        f"<title>{html.escape(size['title'])}</title>\n<style>{style}</style>\n<defs>\n{defined}\n</defs>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{SVG_EXPORT_THEME.background_color.hex}"/>{dots}\n'
        f'<g class="film">\n{pictures}\n</g>\n</svg>\n'
    )


def _steps(film: list[Frame], height: float) -> str:
    whole, now, steps = sum(frame.seconds for frame in film), 0.0, []
    for number, frame in enumerate(film):
        steps.append(f"{100 * now / whole:.2f}% {{ transform: translateY({-number * height:g}px) }}")
        now += frame.seconds
    return " ".join(steps)


def main(arguments: list[str]) -> int:
    """Write the pictures that are not what their recordings show."""
    wanted = {IMAGES / f"{path.stem}.cast.svg": drawn(path.stem, path.read_text()) for path in CASTS.glob("*.cast")}
    return write_or_check(wanted, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
