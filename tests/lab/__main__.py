"""`python3 -m tests.lab up|down|status|env|clean`, from the top of the repository."""

from __future__ import annotations

import argparse
import sys
import time

from tests.lab import up as lifecycle
from tests.lab.lab import Lab
from tests.lab.names import HOSTS, here
from tests.lab.process import LabError, say


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab", description="Real hosts on this machine.")
    parser.add_argument("action", choices=("up", "down", "status", "env", "clean"))
    action = parser.parse_args(arguments).action
    try:
        return {"up": up, "down": down, "status": status, "env": env, "clean": clean}[action]()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def up() -> int:
    began = time.monotonic()
    changed = lifecycle.up(here())
    say(f"{'up' if changed else 'already up'} after {time.monotonic() - began:.1f} s")
    return 0


def down() -> int:
    lifecycle.down(here())
    say("down")
    return 0


def clean() -> int:
    lifecycle.clean(here())
    say("down, and its images dropped")
    return 0


def env() -> int:
    print(Lab.load().shell_exports(), end="")
    return 0


def status() -> int:
    lab = Lab.load()
    ready = {host: lab.is_ready(host) for host in HOSTS}
    for host, is_ready in ready.items():
        print(f"{host:6} {lab.hosts[host]:15} {'ready' if is_ready else 'does not answer'}")
    print(f"registry {lab.registry.server} at {lab.docker_host}")
    print(f"kamal-proxy: {lab.kamal_proxy}")
    return 0 if all(ready.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
