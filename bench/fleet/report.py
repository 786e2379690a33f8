"""The fleet's samples → tables, and a chart with the straight line through them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.fleet.sample import Sample

Results = Mapping[str, Mapping[int, Sequence[Sample]]]


def tables(results: Results, rounds: int) -> str:
    """One Markdown table for each command."""
    return "\n".join(line for action, samples in results.items() for line in (*_table(action, samples, rounds), ""))


def _table(action: str, samples: Mapping[int, Sequence[Sample]], rounds: int) -> list[str]:
    base, slope = line(samples)
    return [
        f"`kp {action}`, medians of {rounds}, interleaved; the straight line through them is "
        f"{base:.2f} s and {slope * 1000:.1f} ms per host:",
        "",
        "| hosts | seconds | CPU s | CPU ms per host | memory MB | sockets | commands per host | kB per host |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {size} | {_cells(size, found)} |" for size, found in samples.items()),
    ]


def _cells(size: int, found: Sequence[Sample]) -> str:
    took, cpu, memory, sockets, commands, received = (
        statistics.median(getattr(sample, field) for sample in found) for field in Sample.__dataclass_fields__
    )
    cells = (
        f"{took:.2f}",
        f"{cpu:.2f}",
        f"{cpu / size * 1000:.0f}",
        f"{memory:.0f}",
        f"{sockets:.0f}",
        f"{commands:.1f}",
    )
    return " | ".join((*cells, f"{received / 1000:.1f}"))


def line(samples: Mapping[int, Sequence[Sample]]) -> tuple[float, float]:
    """Seconds for no host, and for each host more: least squares through the medians."""
    sizes = list(samples)
    if len(sizes) < 2:
        return 0.0, 0.0
    fit = statistics.linear_regression(sizes, [_seconds(samples[size]) for size in sizes])
    return fit.intercept, fit.slope


def _seconds(found: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in found)


def draw(results: Results, path: Path) -> None:
    """Seconds over hosts, each command with its line; SVG or PNG, by the path's suffix."""
    import matplotlib  # noqa: PLC0415 - only `make bench` installs it

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(7, 3.5))
    for action, samples in results.items():
        base, slope = line(samples)
        largest = max(samples)
        drawn: Any = axes.plot([0, largest], [base, base + slope * largest], linewidth=1)
        axes.scatter(
            list(samples),
            [_seconds(found) for found in samples.values()],
            color=drawn[0].get_color(),
            label=f"kp {action}: {base:.1f} s + {slope * 1000:.0f} ms per host",
        )
    axes.set_xlabel("hosts")
    axes.set_ylabel("seconds (median)")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
