"""What an engine changes in this machine's network, noted before it starts and put back after it ends."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TypedDict

from tests.lab.process import as_root, run

PROGRAMS = ("iptables", "ip6tables")
TABLES = ("filter", "nat", "raw")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "docker0"


class Before(TypedDict):
    """The state of the machine before the lab's engine started."""

    ip_forward: str
    forward_policy: str
    had_bridge: bool
    had_chains: bool


def snapshot() -> Before:
    """Note what the engine is about to change."""
    rules = _rules("iptables", "filter")
    policy = next((rule.split()[2] for rule in rules if rule.startswith("-P FORWARD ")), "ACCEPT")
    return Before(
        ip_forward=FORWARDING.read_text().strip(),
        forward_policy=policy,
        had_bridge=_has_bridge(),
        had_chains=any(rule.startswith("-N DOCKER") for rule in rules),
    )


def restore(before: Before) -> None:
    """Put the machine's network back as it was."""
    if not before["had_bridge"] and _has_bridge():
        run(as_root(["ip", "link", "delete", BRIDGE]), check=False)
    if not before["had_chains"]:
        for program, table in product(PROGRAMS, TABLES):
            for argv in removals(_rules(program, table)):
                run(as_root([program, "--table", table, *argv]), check=False)
    run(as_root(["iptables", "-P", "FORWARD", before["forward_policy"]]), check=False)
    run(as_root(["sh", "-c", 'echo "$1" >"$2"', "sh", before["ip_forward"], str(FORWARDING)]), check=False)


def removals(rules: list[str]) -> list[list[str]]:
    """Return the iptables arguments that remove Docker's rules and chains from a listed table."""
    docker_rules = [rule for rule in rules if rule.startswith("-A ") and _is_of_docker(rule)]
    chains = [rule.split()[1] for rule in rules if rule.startswith("-N DOCKER")]
    deletions = [["-D", *rule.split()[1:]] for rule in docker_rules]
    return deletions + [["-X", chain] for chain in chains]


def _is_of_docker(rule: str) -> bool:
    return any(word == BRIDGE or word.startswith("DOCKER") for word in rule.split())


def _has_bridge() -> bool:
    return run(["ip", "link", "show", BRIDGE], check=False).returncode == 0


def _rules(program: str, table: str) -> list[str]:
    return run(as_root([program, "--table", table, "-S"]), check=False).stdout.splitlines()
