"""Times `kp` beside the floor that Docker itself sets, interleaved in one run, since machines are noisy.

``python -m bench [--rounds N] [--hosts 1,3,6] [--round-trips 0,50] [--peer 'kamal'] [--write]``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.chart import draw
from bench.measure import Setting, measure
from bench.peer import measure_peer
from bench.speed import seconds_of_loop
from bench.table import as_json, document, replace_part
from tests.lab.lab import Lab

TOP = Path(__file__).resolve().parents[1]
RESULTS = TOP / ".cache/bench"
PAGE = TOP / "docs/trust/performance.md"
CHART = TOP / "docs/images/performance.svg"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hosts", default="1,3,6", help="numbers of hosts")
    parser.add_argument("--round-trips", default="0,50", help="milliseconds")
    parser.add_argument("--peer", help="another deployer's command, for example `kamal`, timed side by side")
    parser.add_argument("--write", action="store_true", help="put table and chart into docs/trust/performance.md")
    options = parser.parse_args()
    lab = Lab.load()
    settings = [
        Setting(int(hosts), int(trip)) for trip in options.round_trips.split(",") for hosts in options.hosts.split(",")
    ]
    results, loops = {}, [seconds_of_loop()]
    for setting in settings:
        sys.stderr.write(f"bench: {setting.name}\n")
        results[setting] = measure(lab, setting, options.rounds)
        loops.append(seconds_of_loop())
    peer = measure_peer(lab, options.peer, options.rounds) if options.peer else None
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "bench.json").write_text(json.dumps(as_json(results), indent=1) + "\n")
    text = document(results, options.rounds, loops, peer)
    (RESULTS / "bench.md").write_text(text)
    draw(results, RESULTS / "bench.png")
    sys.stdout.write(text)
    if options.write:
        draw(results, CHART)
        PAGE.write_text(replace_part(PAGE.read_text(), "bench", text))


if __name__ == "__main__":
    main()
