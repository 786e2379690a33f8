"""What came of asking the proxy of a host about a container that runs there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kamal_pyinfra.plan.examined import Check, Verdict
from kamal_pyinfra.plan.text import one_line

HOW = {"request": "yes", "log": "yes", "no": "no", "unproven": "not known"}


@dataclass(frozen=True, kw_only=True)
class Routed:
    """One answer.

    Args:
        answer: ``yes``, ``no`` or ``not known``; empty if nobody asked.
        reason: why not.
    """

    answer: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """For a cell of a table."""
        return f"{self.answer}: {self.reason}" if self.reason else self.answer


def parse_routes(lines: Iterable[str], mark: str) -> dict[str, Routed]:
    """The answers by container, from what a host printed; lines without the mark are of no interest.

    Args:
        lines: ``MARK CONTAINER HOW WHY``.
        mark: with the space behind it.
    """
    found: dict[str, Routed] = {}
    for line in lines:
        if line.startswith(mark):
            container, _, rest = one_line(line.removeprefix(mark)).partition(" ")
            how, _, reason = rest.partition(" ")
            if how in HOW:
                found[container] = Routed(answer=HOW[how], reason=reason)
    return found


def judge_routes(host: str, engine: str, proxy: str, routes: Mapping[str, Routed]) -> tuple[Check, ...]:
    """Whether the proxy of a host routes to what runs there.

    Args:
        host: its name.
        engine: version of its Docker.
        proxy: image of its proxy.
        routes: what the proxy was asked.
    """
    return tuple(_check(host, f"Docker {engine} and {proxy}", name, each) for name, each in routes.items())


def _check(host: str, pair: str, container: str, routed: Routed) -> Check:
    if routed.answer == "yes":
        return Check(host=host, name="proxy", verdict=Verdict.OK, message=f"routes to {container}")
    if routed.answer == "no":
        message = f"{container} is not served ({pair}): {routed.reason}"
        way_out = "mend what the proxy's log names; see docs/reference/troubleshooting.md"
        return Check(host=host, name="proxy", verdict=Verdict.FAIL, message=one_line(message), way_out=way_out)
    message = f"whether it routes to {container} is not known: {routed.reason}"
    return Check(host=host, name="proxy", verdict=Verdict.WARN, message=one_line(message))
