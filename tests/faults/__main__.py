"""`python -m tests.faults [FAULT[:PHASE]]... [--missing] [--share 1/3]`: run cells, and write the table of results."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import results
from tests.faults.scene import play
from tests.faults.stage import Stage
from tests.faults.table import CASES
from tests.lab.lab import Lab


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults × phases, on the lab.")
    parser.add_argument("cells", nargs="*", metavar="FAULT[:PHASE]", help="by default all")
    parser.add_argument("--missing", action="store_true", help="only cells that did not pass yet")
    parser.add_argument("--share", default="1/1", help="every third cell from the first on, for a lab among three")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no cell after so many")
    parser.add_argument("--said", action="store_true", help="show what kp said when it met the fault")
    parser.add_argument("--render", action="store_true", help="run nothing; write the page from the results")
    options = parser.parse_args(arguments)
    if options.render:
        results.render()
        return 0
    known = results.read()
    first, step = map(int, options.share.split("/"))
    chosen = [cell for cell in CASES if _is_chosen(cell, options.cells)][first - 1 :: step]
    if options.missing:
        chosen = [cell for cell in chosen if known.get(cell, {}).get("problems") != []]
    with tempfile.TemporaryDirectory(prefix="kp-faults-") as folder:
        return _run(chosen, options.seconds, Path(folder), says=options.said)


def _is_chosen(cell: tuple[str, str], wanted: list[str]) -> bool:
    return not wanted or any(name in (cell[0], ":".join(cell)) for name in wanted)


def _run(chosen: list[tuple[str, str]], seconds: float, folder: Path, *, says: bool) -> int:
    began, failed = time.monotonic(), 0
    stage: Stage | None = None
    for fault, phase in chosen:
        if time.monotonic() - began > seconds:
            print("no time for more", flush=True)
            break
        # A cell that was not healed may have left anything behind: the next one gets hosts as new.
        stage = stage or Stage.create(Lab.load(), folder / str(time.monotonic_ns()))
        outcome = play(stage, fault, phase, CASES[fault, phase])
        results.note(outcome)
        failed += bool(outcome.problems)
        print(results.line(outcome), flush=True)
        for problem in outcome.problems:
            print(f"    {problem}", flush=True)
        if says:
            print(outcome.said, flush=True)
        if not outcome.is_healed:
            stage = None
    results.render()
    print(f"{len(chosen)} cells, {failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
