"""What is known of the fleet when a run ends early: only what hosts have confirmed is claimed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

SILENT = "Docker does not answer"
"""Stands in the output of a host whose engine is gone: what runs there is not known then."""
CUT = "The SSH connection ended."
UNREACHABLE = "it cannot be reached"
NO_DOCKER = f"{SILENT} there"
HUNG = "it did not answer in time"
NO_ENGINE = re.compile(
    rf"{SILENT}|Cannot connect to the Docker daemon|error during connect|[Ii]s the docker daemon running", re.IGNORECASE
)
GAVE_UP = re.compile(r"^(It did not end within|No answer came within)")
ENDED = "All else that ends the run was done there."
SWITCHED = "The old version was stopped there, and what ends the run was not done."
"""Last words of a host on which nothing failed but that an old container did not leave traffic in time."""
UNCLEANED = "serves, but not every host was cleaned up."
UNSWITCHED = "Nothing was switched: what served before serves now."
UNBOOTED = "Nothing was booted or switched: what served before serves now."
TAKEN_BACK = "What this run had begun was taken back."
ALL_TAKEN_BACK = "All hosts run what they ran before; the new containers are gone."


def why_unknown(output: Sequence[str]) -> str:
    """Why it is not known what runs on a host that failed with these last lines; empty if nothing is in doubt."""
    if any(NO_ENGINE.search(line) for line in output):
        return NO_DOCKER
    if any(GAVE_UP.search(line) for line in output):
        return HUNG
    return UNREACHABLE if UNREACHABLE in output else "its connection ended" if CUT in output else ""


def before_the_switch(outputs: Mapping[str, Sequence[str]], state: str = UNSWITCHED) -> str:
    """The state of a fleet before anything booted: ``state``, unless a failed host's last lines leave it in doubt."""
    silent = [host for host, output in outputs.items() if why_unknown(output) == NO_DOCKER]
    return f"{state.partition(':')[0]}. {_unknown(silent, NO_DOCKER)}" if silent else state


def after_the_gate(
    version: str, passed: Collection[str], outputs: Mapping[str, Sequence[str]], *, uncleaned: Collection[str]
) -> str:
    """The state of a fleet once the new version was healthy, from the last lines of each host that failed since.

    Those that ``passed`` had the gate behind them; on those that are ``uncleaned`` all was switched.
    """
    forced = [host for host, output in outputs.items() if {ENDED, SWITCHED} & set(output)]
    reasons = {host: why_unknown(output) for host, output in outputs.items() if host not in forced}
    stopped = f" On {', '.join(forced)} the old version was stopped while it was in traffic." if forced else ""
    if all(ENDED in output for output in outputs.values()):
        return f"{version} serves, and every host was cleaned up.{stopped}"
    if not any(reasons.values()) and set(reasons) <= set(uncleaned):
        return f"{version} {UNCLEANED}{stopped}"
    serving = ", ".join(host for host in passed if host not in reasons)
    doubled = ", ".join(host for host, reason in reasons.items() if not reason)
    known = (
        f"{version} serves on {serving}.{stopped}" if serving else "",
        f"The old version may still run beside it on {doubled}." if doubled else "",
    )
    unknown = (_unknown(hosts, reason) for reason, hosts in _by_reason(reasons).items())
    return " ".join(filter(None, (*known, *unknown)))


def not_brought_back(stuck: Mapping[str, str], brought_back: Sequence[str]) -> str:
    """The state after a take-back that failed somewhere.

    For each host that is ``stuck`` there is why it is not known what runs there, empty if it can be observed; those
    that are ``brought_back`` confirmed that they run what they ran before.
    """
    asked = ", ".join(host for host, reason in stuck.items() if not reason)
    ran = "runs what it" if len(brought_back) == 1 else "run what they"
    lines = (
        f"{asked} could not be brought back wholly; `kp details` shows what serves." if asked else "",
        *(
            f"{', '.join(hosts)} could not be brought back: {reason}. What runs there is not known."
            for reason, hosts in _by_reason(stuck).items()
        ),
        f"{', '.join(brought_back)} {ran} ran before." if brought_back else "",
        "`kp status` shows what runs there once it answers." if any(stuck.values()) else "",
    )
    return "\n".join(filter(None, lines))


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    found = dict.fromkeys(filter(None, reasons.values()))
    return {reason: [host for host, why in reasons.items() if why == reason] for reason in found}


def _unknown(hosts: Sequence[str], reason: str) -> str:
    return f"What runs on {', '.join(hosts)} is not known: {reason}; `kp status` shows it once it answers."
