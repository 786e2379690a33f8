"""How long `kp plan` and `kp deploy` take for 1 to 300 simulated hosts: ``python -m bench.fleet [--write]``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fleet.report import draw, tables
from bench.fleet.sample import Sample, addresses, ends, environment, measure, write_config
from bench.installed import TOP, user_python
from bench.table import replace_part
from kamal_pyinfra.config import load_config
from kamal_pyinfra.plan.desired import desired_host
from tests.conftest import a_run, as_deployed
from tests.operations.fleet import snapshot_lines

SIZES = tuple(int(size) for size in os.environ.get("BENCH_FLEET", "1,3,10,30,100,300").split(","))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ACTIONS = ("plan", "deploy")
SLOW_SECONDS = 3
PAGE, CHART = TOP / "docs/trust/performance.md", TOP / "docs/images/fleet.svg"


def snapshot_text(folder: Path) -> str:
    """What a look at a host with version v1 prints."""
    config = load_config(write_config(folder, 1, 22), environ=environment())
    return "\n".join(snapshot_lines(as_deployed(desired_host(a_run(config, "v1"), addresses(1)[0])))) + "\n"


@contextmanager
def serving(folder: Path, slow: str = "") -> Iterator[int]:
    """The port of the SSH server that is all hosts, once it listens and its host key is known for every address."""
    (folder / "snapshot.txt").write_text(snapshot_text(folder))
    (folder / "port").unlink(missing_ok=True)
    server = subprocess.Popen([sys.executable, "-m", "bench.fleet.server", str(folder), slow, str(SLOW_SECONDS)])
    try:
        deadline = time.monotonic() + 20
        while not (folder / "port").exists() or not (folder / "port").read_text():
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit("the simulated hosts did not start")
            time.sleep(0.05)
        port, key = (folder / "port").read_text(), (folder / "host_key.pub").read_text().strip()
        known = (f"[{address}]:{port} {key}\n" for address in addresses(max(SIZES)))
        (folder / "known_hosts").write_text("".join(known))
        yield int(port)
    finally:
        server.terminate()
        server.wait()


def slow_host(folder: Path) -> str:
    """A sentence on what a host that is slow in its switch costs the others."""
    count = max(SIZES)
    slow = addresses(count)[-1]
    with serving(folder, slow) as port:
        measure(folder, "deploy", count, port)
    found = ends(folder, "switch")
    others = [seconds for host, seconds in found.items() if host != slow]
    return (
        f"One of {count} hosts that takes {SLOW_SECONDS} s longer for every command: it is through with its switch "
        f"after {found[slow]:.1f} s, the others after {statistics.median(others):.1f} s (the last of them after "
        f"{max(others):.1f} s)."
    )


def main() -> None:
    """Print a Markdown table for each command."""
    samples: dict[str, dict[int, list[Sample]]] = {action: {size: [] for size in SIZES} for action in ACTIONS}
    user_python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder) as port:
            for _ in range(ROUNDS):
                for action in ACTIONS:
                    for size in SIZES:
                        samples[action][size].append(measure(folder, action, size, port))
        text = f"{tables(samples, ROUNDS)}\n{slow_host(folder)}\n"
    sys.stdout.write(text)
    if "--write" in sys.argv:
        PAGE.write_text(replace_part(PAGE.read_text(), "fleet", text))
        draw(samples, CHART)


if __name__ == "__main__":
    main()
