"""History of deploys, read from the audit logs of kp and Kamal."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from kamal_pyinfra.plan.plan import Plan

FINISHED, FAILED, INTERRUPTED, UNFINISHED = "Finished", "Failed", "Interrupted", "Unfinished"
DONE = {"replace": "replaced", "create": "created", "update": "changed", "remove": "removed"}
MEANT = {"replace": "to replace", "create": "to create", "update": "to change", "remove": "to remove"}
LINE = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00))\] \[([^]]*)\] ((?:\[[^]]*\] )*)(.*)")
OURS = re.compile(
    rf"(?P<result>{FINISHED}|{FAILED}|{INTERRUPTED}) (?P<command>\S+) of version (?P<version>\S+) "
    r"after (?P<seconds>\d+\.\d) s(?: at (?P<where>.+?))?(?:: (?P<summary>.*))?"
)
BOOTED = re.compile(r"Booted app version (\S+)")
TAGGED = re.compile(r"Tagging \S+:(\S+) as the latest image")
STEPS_APART = 900
"""Seconds; lines of Kamal that are further apart are of two deploys."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One deploy, as audit logs record it; Kamal's lack command and summary."""

    at: str  # UTC time of its start, ISO 8601; for Kamal the time of its first line
    by: str
    command: str = ""
    version: str
    seconds: float = 0.0  # its duration; for Kamal from its first to its last line
    result: str  # one of the constants of this module
    tool: str  # ``kp``, or ``other`` for Kamal and for a run that was killed
    where: str = ""  # phase and hosts of a failure
    summary: str = ""
    hosts: tuple[str, ...] = ()  # those whose logs record it

    def as_json(self) -> dict[str, object]:
        """Return the deploy as a JSON object."""
        return {**asdict(self), "result": self.result.lower()}

    def also_on(self, host: str, **changes: Any) -> Deployed:
        """Return it with another host whose log records it."""
        return replace(self, hosts=tuple(dict.fromkeys((*self.hosts, host))), **changes)


def deploy_message(result: str, plan: Plan, *, seconds: float, where: str) -> str:
    """Return the audit line about a whole deploy."""
    words = DONE if result == FINISHED else MEANT
    counts = [f"{plan.counts[action]} {word}" for action, word in words.items() if plan.counts[action]]
    what = f"{result} {plan.command} of version {plan.version} after {seconds:.1f} s"
    return f"{what}{f' at {where}' if where else ''}: {', '.join(counts) or 'nothing changed'}"


def history(logs: Mapping[str, Sequence[str]]) -> tuple[Deployed, ...]:
    """Return all deploys in the audit logs, given as lines by host; the newest first."""
    lines = sorted((line for host in logs for line in _lines(host, logs[host])), key=lambda line: line[:2])
    ours: dict[tuple[str, str, str], Deployed] = {}
    for at, host, by, message in lines:
        if found := OURS.fullmatch(message):
            values: dict[str, Any] = found.groupdict("")
            values["seconds"] = float(values["seconds"])
            ours[at, by, found["version"]] = Deployed(at=at, by=by, tool="kp", hosts=(host,), **values)
    kamals: list[Deployed] = []
    for at, host, by, message in lines:
        if found := BOOTED.fullmatch(message) or TAGGED.fullmatch(message):
            key = (at, by, found[1])
            if key in ours:
                ours[key] = ours[key].also_on(host)
            else:
                _add(kamals, host, key, is_end=message.startswith("Tagging"))
    return tuple(sorted((*ours.values(), *kamals), key=lambda each: each.at, reverse=True))


def _lines(host: str, texts: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield time, host, person and message of each line."""
    for text in texts:
        if found := LINE.fullmatch(text.strip()):
            with contextlib.suppress(ValueError):  # no calendar has that day
                seconds_of(found[1])
                yield found[1].replace("+00:00", "Z"), host, found[2], found[4]


def seconds_of(at: str) -> float:
    """Return the seconds of a UTC time since 1970."""
    return datetime.fromisoformat(at).timestamp()


def _add(kamals: list[Deployed], host: str, key: tuple[str, str, str], *, is_end: bool) -> None:
    """Add a line of Kamal, which writes one for each container and tag: lines close together are one deploy.

    All lines of a run of kp have the time of its start, also those of one that was killed.
    """
    at, by, version = key
    for number, each in reversed([*enumerate(kamals)]):
        took = seconds_of(at) - seconds_of(each.at)
        if (each.by, each.version) != (by, version) or took - each.seconds > STEPS_APART:
            continue
        if each.result == FINISHED and not is_end and at != each.at:
            break  # booted anew after it had been tagged: the next deploy of the same version
        kamals[number] = each.also_on(host, seconds=took, result=FINISHED if is_end else each.result)
        return
    result = FINISHED if is_end else UNFINISHED
    kamals.append(Deployed(at=at, by=by, version=version, result=result, tool="other", hosts=(host,)))
