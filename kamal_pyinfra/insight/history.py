"""History of deploys, read from the audit logs of kp and Kamal."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from kamal_pyinfra.plan.plan import Plan

FINISHED, FAILED, INTERRUPTED, UNFINISHED = "Finished", "Failed", "Interrupted", "Unfinished"
DONE = (("replace", "replaced"), ("create", "created"), ("update", "changed"), ("remove", "removed"))
MEANT = (("replace", "to replace"), ("create", "to create"), ("update", "to change"), ("remove", "to remove"))
LINE = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00))\] \[([^]]*)\] ((?:\[[^]]*\] )*)(.*)")
OURS = re.compile(
    rf"({FINISHED}|{FAILED}|{INTERRUPTED}) (\S+) of version (\S+) after (\d+\.\d) s(?: at (.+?))?(?:: (.*))?"
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
    command: str
    version: str
    seconds: float  # its duration; for Kamal from its first to its last line
    result: str  # one of the constants of this module
    tool: str  # ``kp``, or ``other`` for Kamal and for a run that was killed
    where: str = ""  # phase and hosts of a failure
    summary: str = ""
    hosts: tuple[str, ...] = ()  # those whose logs record it

    def as_json(self) -> dict[str, object]:
        """Return the deploy as a JSON object."""
        return {**asdict(self), "result": self.result.lower()}


def deploy_message(result: str, plan: Plan, *, seconds: float, where: str) -> str:
    """Return the audit line about a whole deploy."""
    words = DONE if result == FINISHED else MEANT
    counts = [f"{plan.counts[action]} {word}" for action, word in words if plan.counts[action]]
    what = f"{result} {plan.command} of version {plan.version} after {seconds:.1f} s"
    return f"{what}{f' at {where}' if where else ''}: {', '.join(counts) or 'nothing changed'}"


@dataclass(frozen=True, kw_only=True)
class _Line:
    host: str
    at: str
    by: str
    message: str


def history(logs: Mapping[str, Sequence[str]]) -> tuple[Deployed, ...]:
    """Return all deploys in the audit logs, given as lines by host; the newest first."""
    lines = sorted((line for host in logs for line in _lines(host, logs[host])), key=lambda line: (line.at, line.host))
    matches = ((line, OURS.fullmatch(line.message)) for line in lines)
    ours = {(line.at, line.by, found[3]): _ours(line, found) for line, found in matches if found}
    kamals: list[Deployed] = []
    for line in lines:
        found = BOOTED.fullmatch(line.message) or TAGGED.fullmatch(line.message)
        key = (line.at, line.by, found[1]) if found else None
        if key in ours and key is not None:
            ours[key] = replace(ours[key], hosts=_with(ours[key].hosts, line.host))
        elif found:
            _add(kamals, line, found[1], is_end=line.message.startswith("Tagging"))
    return tuple(sorted((*ours.values(), *kamals), key=lambda each: each.at, reverse=True))


def _lines(host: str, texts: Sequence[str]) -> Iterator[_Line]:
    for text in texts:
        if found := LINE.fullmatch(text.strip()):
            with contextlib.suppress(ValueError):  # no calendar has that day
                seconds_of(found[1])
                yield _Line(host=host, at=found[1].replace("+00:00", "Z"), by=found[2], message=found[4])


def seconds_of(at: str) -> float:
    """Return the seconds of a UTC time since 1970."""
    return datetime.fromisoformat(at).timestamp()


def _ours(line: _Line, found: re.Match[str]) -> Deployed:
    return Deployed(
        at=line.at,
        by=line.by,
        command=found[2],
        version=found[3],
        seconds=float(found[4]),
        result=found[1],
        tool="kp",
        where=found[5] or "",
        summary=found[6] or "",
        hosts=(line.host,),
    )


def _add(kamals: list[Deployed], line: _Line, version: str, *, is_end: bool) -> None:
    """Add a line of Kamal, which writes one for each container and tag: lines close together are one deploy.

    All lines of a run of kp have the time of its start, also those of one that was killed.
    """
    for number in range(len(kamals) - 1, -1, -1):
        each = kamals[number]
        took = seconds_of(line.at) - seconds_of(each.at)
        if (each.by, each.version) != (line.by, version) or took - each.seconds > STEPS_APART:
            continue
        if each.result == FINISHED and not is_end and line.at != each.at:
            break  # booted anew after it had been tagged: the next deploy of the same version
        result = FINISHED if is_end else each.result
        kamals[number] = replace(each, seconds=took, result=result, hosts=_with(each.hosts, line.host))
        return
    result = FINISHED if is_end else UNFINISHED
    started = Deployed(at=line.at, by=line.by, command="", version=version, seconds=0.0, result=result, tool="other")
    kamals.append(replace(started, hosts=(line.host,)))


def _with(hosts: tuple[str, ...], host: str) -> tuple[str, ...]:
    return hosts if host in hosts else (*hosts, host)
