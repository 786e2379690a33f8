"""The chart: for each action a bar, split into the phases of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from bench.measure import Samples, Setting

PHASES = ("lock", "prepare", "boot", "switch", "finish", "unlock")
COLOURS = ("#8da0cb", "#66c2a5", "#fc8d62", "#e78ac3", "#ffd92f", "#b3b3b3")
OTHER = "start, connect, plan"


def draw(results: Mapping[Setting, Mapping[str, Samples]], path: Path) -> None:
    """Draw the bars of what deploys, and the floor beside them; SVG or PNG, by the path's suffix."""
    import matplotlib  # noqa: PLC0415 - only `make bench` installs it

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot  # noqa: PLC0415

    rows = list(_rows(results))
    figure, axes = pyplot.subplots(figsize=(9, 0.45 * len(rows) + 1.4))
    for number, (_, parts) in enumerate(rows):
        left = 0.0
        for label, seconds in parts.items():
            axes.barh(number, seconds, left=left, color=_colour(label), height=0.7)
            left += seconds
        axes.text(left + 0.05, number, f"{left:.1f} s", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(right=1.08 * axes.get_xlim()[1])
    axes.set_xlabel("seconds (median)")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=_colour(label)) for label in (OTHER, *PHASES)]
    axes.legend(handles, (OTHER, *PHASES), fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _rows(results: Mapping[Setting, Mapping[str, Samples]]) -> Iterator[tuple[str, dict[str, float]]]:
    for setting, actions in results.items():
        for action in ("floor", "kp deploy", "kp rollback", "kp deploy, nothing to do", "kp plan"):
            if action in actions:
                yield f"{action}, {setting.name}", _parts(actions[action])


def _parts(samples: Samples) -> dict[str, float]:
    whole = median(samples.seconds)
    if not any(samples.phases):
        return {"floor" if not samples.phases else OTHER: whole}
    phases = {name: median(phases.get(name, 0.0) for phases in samples.phases) for name in PHASES}
    return {OTHER: max(0.0, whole - sum(phases.values()))} | phases


def _colour(label: str) -> str:
    return dict(zip(PHASES, COLOURS, strict=True)).get(label, "#555555" if label == "floor" else "#d9d9d9")
